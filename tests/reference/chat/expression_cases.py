"""Templates of our own, one expression each, separated by ` ;; `."""

DATA = {
    "s": "Hello World",
    "u": "Grüße, Ωmega ß ﬁ ΣΑΣ 你好 😀",
    "blank": "  \t padded\n ",
    "lines": "one\ntwo\r\nthree\n",
    "i": 7,
    "n": -3,
    "f": 2.5,
    "big": 1e16,
    "small": 0.00001,
    "yes": True,
    "no": False,
    "nil": None,
    "xs": [3, 1, 2],
    "words": ["b", "A", "c", "a"],
    "empty": [],
    "d": {"b": 1, "a": [1, "x", None, True, 2.0], "items": "own"},
    "nested": {"list": [{"k": 1, "n": "x"}, {"k": 2, "n": "y"}, {"n": "z"}]},
    "html": "<a href='x'>\"&\"</a>",
    "quote": "it's",
    "both": "it's \"so\"",
    "control": "a\tb\nc\\d\x07\u200b\u00e9\x7f",
}

PRINT = r"""
s ;; u ;; i ;; n ;; f ;; big ;; small ;; yes ;; no ;; nil ;; xs ;; empty ;; d ;; nested ;; quote ;; both ;; missing
1 ;; 1.0 ;; 1e3 ;; 1.5e-7 ;; 100000000000000000.0 ;; 123456789.125 ;; 0.1 ;; 00
1e22 ;; 1.7976931348623157e308 ;; 5e-324 ;; -0.0 ;; 123456789012345680.0 ;; 1e15 ;; 1e16 ;; .5
'a' 'b' ;; "x\ny" ;; '\d\'\"' ;; 'tab\there'
[] ;; [1,] ;; [1, 'a', [2.0, none]] ;; () ;; (1,) ;; 1, 2 ;; (1, 'b') ;; {} ;; {'a': 1, "b": [2]}
{1: 'x', 'y': 2, none: 3, true: 4} ;; {'a': 1, 'a': 2}
[control] ;; ['é', '\n', "it's", 'q"q']
true ;; True ;; false ;; none ;; None
1 + 2 ;; 7 - 10 ;; 3 * 4 ;; 7 / 2 ;; 7 // 2 ;; -7 // 2 ;; 7 % 3 ;; -7 % 3 ;; 7 % -3 ;; 2 ** 10 ;; 2 ** -1
7.5 // 2 ;; -7.5 // 2 ;; 7.5 % 2 ;; -7.5 % 2 ;; 2.0 ** 0.5 ;; 1 / 3 ;; 6 / 3 ;; 0.1 + 0.2 ;; yes + 1
10 ** 18 ;; -2 ** 2 ;; 2 ** 3 ** 2 ;; - 3 ;; +4 ;; --4 ;; -(1 + 2) * 3 ;; 1 - 2 - 3 ;; 2 * 3 % 4
'a' + 'b' ;; 'ab' * 3 ;; 3 * 'ab' ;; 'ab' * -1 ;; [1] + [2] ;; [0] * 3 ;; (1,) + (2,) ;; (1, 2) * 2
'a' ~ 1 ~ none ~ 2.0 ~ [1] ~ true ;; s ~ missing ~ i ;; 1 ~ 2 + 3
'%s is %d' % ('x', 3) ;; '%.2f' % 3.14159
'%s' % 'one' ;; '%s' % xs ;; '100%%' % () ;; '%5s|%-5s|' % ('ab', 'cd')
'%s %s' % (none, true) ;; '%6.2f|%.0f' % (2.5, 2.5) ;; '%.3s' % 'abcdef'
1 == 1.0 ;; 1 == true ;; 'a' == 'a' ;; [1, 2] == [1, 2] ;; (1,) == [1] ;; {'a': 1} == {'a': 1.0} ;; none == none
1 != 2 ;; 'a' < 'b' ;; 'a' < 'B' ;; 1 < 2.5 ;; [1, 2] < [1, 3] ;; (1,) <= (1, 0) ;; 2 >= 2 ;; 3 > 3
1 < 2 < 3 ;; 1 < 3 < 2 ;; 1 == 1 != 2 ;; 'a' in 'abc' ;; '' in 'abc' ;; 'x' not in 'abc'
2 in xs ;; 5 not in xs ;; 'a' in d ;; 'z' in d ;; 1 in [true] ;; none in [none] ;; missing in xs ;; 1 in missing
not 1 ;; not missing ;; not not 'a' ;; 1 and 2 ;; 0 and 2 ;; '' or 'x' ;; none or 0 ;; 1 or missing.x ;; 0 or none or 'z'
1 if yes else 2 ;; 1 if no else 2 ;; 1 if no ;; 'a' if no else 'b' if no else 'c' ;; (1 if yes) + 1
missing == missing ;; missing == none ;; missing != 1 ;; missing is defined ;; missing == other
xs[0] ;; xs[-1] ;; xs[9] ;; xs[1:] ;; xs[:-1] ;; xs[::-1] ;; xs[::2] ;; xs[-2:] ;; xs[5:] ;; xs[:0] ;; xs[1:2] ;; xs[-1:0:-1]
s[0] ;; s[-1] ;; s[99] ;; s[2:5] ;; s[:-3] ;; s[::-1] ;; s[::2] ;; s[5::-2] ;; u[0:6] ;; u[::-1] ;; u[7] ;; u[-1] ;; u[-3:]
d['b'] ;; d.b ;; d['a'][1] ;; d.a[-1] ;; d.a.1 ;; d.zzz ;; d['zzz'] ;; d['items'] ;; d.get('b') ;; d.get('q')
d.get('q', 'dflt') ;; d.keys()|list ;; d.get('a')[0] ;; d.b.c ;; none.x ;; s.zzz ;; i.zzz
nested.list[0].k ;; nested['list'][1]['n'] ;; nested.list[2].k ;; nested.list|length
s.upper() ;; s.lower() ;; s.title() ;; s.capitalize() ;; s.strip() ;; blank.strip() ;; blank.lstrip() ;; blank.rstrip()
s.strip('Hd') ;; 'xxaxx'.strip('x') ;; 'xxaxx'.lstrip('x') ;; 'xxaxx'.rstrip('x') ;; 'ab'.strip('')
s.split() ;; s.split(' ') ;; s.split('o') ;; s.split('o', 1) ;; ' a  b '.split() ;; ' a  b '.split(' ') ;; s.split('zz')
' a b c '.split(none, 1) ;; 'a,b,c'.split(',', maxsplit=1) ;; 'a,b,c'.rsplit(',', 1) ;; ' a b c '.rsplit(none, 1)
''.split() ;; ''.split(',') ;; 'a,'.split(',') ;; lines.splitlines() ;; lines.splitlines(true) ;; 'aXbX'.split('X')
'a-b-c'.partition('-') ;; 'a-b-c'.rpartition('-') ;; 'abc'.partition('x') ;; 'abc'.rpartition('x')
s.replace('o', '0') ;; s.replace('o', '0', 1) ;; 'abc'.replace('', '-') ;; 'aaa'.replace('aa', 'b') ;; s.replace('z', 'y')
s.startswith('He') ;; s.endswith('ld') ;; s.startswith(('x', 'H')) ;; s.startswith('W', 6) ;; s.endswith('')
s.find('o') ;; s.find('z') ;; s.rfind('o') ;; s.index('W') ;; s.count('o') ;; s.count('') ;; u.find('你') ;; s.find('o', 5)
'-'.join(['a', 'b']) ;; ', '.join(words) ;; ''.join([]) ;; '-'.join('abc') ;; 'x'.join(d)
'abc'.isalpha() ;; '123'.isdigit() ;; 'ab1'.isalnum() ;; ' '.isspace() ;; 'AB'.isupper() ;; 'ab'.islower() ;; 'ʰⅳⓐ'.islower() ;; 'Ⅳ🅰'.isupper() ;; 'aⓐb'.title() ;; ''.isdigit()
'abc'.removeprefix('a') ;; 'abc'.removesuffix('c') ;; 'abc'.removeprefix('x') ;; '7'.zfill(3) ;; '-7'.zfill(4)
'ab'.center(6) ;; 'ab'.center(5) ;; 'abc'.center(6) ;; 'ab'.ljust(4) ;; 'ab'.rjust(4, '*') ;; 'abc'.center(2)
'{} {}'.format('a', 1) ;; '{1}{0}'.format('a', 'b') ;; '{x}'.format(x=2)
'{:05d}'.format(42) ;; '{:.2f}'.format(2.345)
'{{}}'.format()
'they\'re bill\'s'.title() ;; u.upper() ;; u.lower() ;; u.title() ;; u.capitalize() ;; 'ǆ'.title() ;; 'ßa'.capitalize()
xs.count(1) ;; xs.index(2) ;; (1, 2).count(2) ;; xs.copy() ;; d.copy()
range(3)|list ;; range(0)|list ;; range(3)[1] ;; range(3)|length ;; 2 in range(3)
dict(a=1, b=2) ;; dict({'x': 1}, y=2) ;; dict([('a', 1)]) ;; namespace(a=1).a ;; namespace({'k': 2}).k
"""

FILTERS = r"""
s|length ;; xs|count ;; d|length ;; u|length ;; missing|length ;; ''|length
s|upper ;; s|lower ;; s|capitalize ;; s|title ;; 'foo-bar (baz) [x] <y>'|title ;; 5|upper ;; none|lower
blank|trim ;; s|trim('H') ;; 5|trim ;; missing|trim ;; u|upper ;; u|lower
xs|first ;; xs|last ;; empty|first ;; s|first ;; s|last ;; d|first ;; d|last ;; missing|first
xs|join ;; xs|join(', ') ;; words|join('|') ;; nested.list|join(', ', attribute='n') ;; empty|join('x') ;; s|join('-') ;; [1, none, 2.0]|join(1)
xs|sort ;; xs|sort(reverse=true) ;; words|sort ;; words|sort(case_sensitive=true) ;; nested.list|sort(attribute='n,k')|map(attribute='n')|join ;; nested.list[:2]|sort(attribute='k', reverse=true)|map(attribute='n')|join
xs|list ;; s|list ;; d|list ;; range(2)|list ;; xs|reverse|list ;; s|reverse ;; d|reverse|list
words|unique|list ;; words|unique(true)|list ;; [1, 1.0, true, 2]|unique|list ;; nested.list|unique(attribute='n')|list|length
xs|min ;; xs|max ;; words|min ;; words|max(case_sensitive=true) ;; empty|min ;; nested.list[:2]|max(attribute='k')
xs|sum ;; xs|sum(start=10) ;; nested.list[:2]|sum(attribute='k') ;; empty|sum ;; [0.5, 1]|sum
s|replace('l', 'L') ;; s|replace('l', 'L', 1) ;; 5|replace(5, 6) ;; s|replace(' ', none) ;; missing|replace('a', 'b')
missing|default('x') ;; nil|default('x') ;; nil|default('x', true) ;; ''|d('y', boolean=true) ;; missing|default ;; i|default(1) ;; 0|default(5, true)
3.7|int ;; '42'|int ;; '4.9'|int ;; 'x'|int ;; 'x'|int(5) ;; none|int ;; ' 12 '|int ;; true|int ;; []|int(9)
3|float ;; '2.5'|float ;; 'x'|float ;; 'x'|float(1.5) ;; '1e3'|float ;; none|float ;; ' 2 '|float
3.14159|round ;; 3.14159|round(2) ;; 2.5|round ;; 3.5|round ;; 7|round ;; 2.345|round(2) ;; 2.1|round(0, 'ceil') ;; 2.9|round(method='floor') ;; 42.55|round(1, 'floor') ;; -0.5|round(0, 'ceil') ;; 399964535533707|round(2, 'ceil')
n|abs ;; -2.5|abs ;; true|abs
html|escape ;; html|e ;; html|safe ;; html|escape|escape ;; html|forceescape ;; 5|escape ;; html|safe|escape
(html|safe) + '<b>' ;; '<b>' + (html|safe) ;; (html|safe) ~ '<b>' ;; ('<x>'|safe).replace('x', '<') ;; ('<%s>'|safe) % '<' ;; [('<'|safe)]
('<'|safe).join(['<', '>']) ;; ('a<b'|safe).split('<') ;; ('<'|safe) * 2 ;; ('<'|safe)|upper + '<' ;; ('<'|safe)|string + '<' ;; ('<{}>'|safe).format('<')
'<'|safe is string ;; '<'|safe is escaped ;; '<' is escaped ;; ('<'|safe)|trim + '<' ;; ('<'|safe)|replace('<', '>') + '<' ;; ('<'|safe)[0] + '<'
d|dictsort ;; {'B': 1, 'a': 2}|dictsort ;; {'B': 1, 'a': 2}|dictsort(true) ;; {'a': 2, 'b': 1}|dictsort(by='value') ;; {'a': 2, 'b': 1}|dictsort(reverse=true)
d|items|list ;; missing|items|list ;; d|items|first
xs|map('string')|list ;; words|map('upper')|join ;; nested.list|map(attribute='n')|list ;; nested.list|map(attribute='k', default=0)|list ;; nested.list|map(attribute='k')|list
xs|map('default', 1)|list ;; ['1', '2']|map('int')|sum ;; words|map('replace', 'b', 'B')|list ;; [[1, 2], [3]]|map('length')|list ;; [[3, 1]]|map('sort')|list
xs|select('odd')|list ;; xs|select|list ;; [0, 1, '', none]|select|list ;; xs|select('gt', 1)|list ;; xs|reject('equalto', 2)|list ;; [0, 1]|reject|list ;; xs|select('in', [1, 2])|list
nested.list|selectattr('k')|list ;; nested.list|selectattr('k', 'defined')|map(attribute='k')|list ;; nested.list|selectattr('n', 'equalto', 'y')|list ;; nested.list|rejectattr('k')|list ;; nested.list|selectattr('k', '>=', 2)|list
nested.list|rejectattr('n', 'in', ['x'])|map(attribute='n')|join(',') ;; empty|selectattr('x')|list ;; missing|map('upper')|list ;; missing|last ;; missing|reverse|list ;; 'x' % missing
i|string ;; nil|string ;; xs|string ;; missing|string ;; f|string ;; s|string
'a\nb\n\nc'|indent ;; 'a\nb'|indent(2) ;; 'a\n\nb'|indent(2, true) ;; 'a\n\nb'|indent(2, blank=true) ;; 'a\nb'|indent('> ') ;; 'a\n'|indent ;; 'a'|indent(first=true)
'ab'|center(6) ;; 'ab'|center(width=5) ;; '%s=%s'|format('a', 1)
xs|batch(2)|list ;; xs|batch(2, 'x')|list ;; [1, 2, 3, 4, 5]|slice(2)|list ;; [1, 2, 3]|slice(2, 'f')|list
d|attr('b') ;; s|attr('upper')() ;; d|attr('zzz')
"""

JSON = r"""
s|tojson ;; u|tojson ;; html|tojson ;; control|tojson ;; i|tojson ;; f|tojson ;; big|tojson ;; small|tojson ;; nil|tojson ;; yes|tojson ;; xs|tojson ;; empty|tojson ;; d|tojson ;; nested|tojson ;; {}|tojson
u|tojson(ensure_ascii=true) ;; d|tojson(indent=2) ;; nested|tojson(indent=4) ;; empty|tojson(indent=2) ;; {}|tojson(indent=2) ;; d|tojson(indent=0) ;; d|tojson(indent='\t')
d|tojson(sort_keys=true) ;; d|tojson(separators=(',', ':')) ;; d|tojson(indent=2, separators=[' ,', ' = ']) ;; {'b': {'d': 1, 'c': 2}}|tojson(sort_keys=true)
(1, 2)|tojson ;; {1: 2, none: 3, true: 4, 2.5: 5}|tojson ;; ('<'|safe)|tojson ;; [1.0, 1e100, -0.0]|tojson ;; '\u2028/'|tojson ;; d|tojson|tojson
range(3)|list|tojson ;; d|tojson|length ;; xs|tojson|upper ;; xs|map('tojson')|list
"""

TESTS = r"""
missing is defined ;; s is defined ;; missing is undefined ;; s is undefined ;; nil is none ;; s is none ;; missing is none
s is string ;; i is string ;; nil is string ;; d is mapping ;; xs is mapping ;; s is mapping
xs is iterable ;; s is iterable ;; d is iterable ;; i is iterable ;; missing is iterable ;; nil is iterable
xs is sequence ;; s is sequence ;; d is sequence ;; i is sequence ;; missing is sequence ;; (1, 2) is sequence ;; range(2) is sequence ;; d.items() is sequence ;; (xs|map('string')) is sequence ;; (xs|map('string')) is iterable
i is number ;; f is number ;; yes is number ;; s is number ;; yes is boolean ;; 1 is boolean ;; nil is boolean
i is integer ;; f is integer ;; yes is integer ;; f is float ;; i is float
yes is true ;; 1 is true ;; no is false ;; 0 is false ;; nil is false
i is odd ;; i is even ;; 4 is even ;; n is odd ;; 6 is divisibleby 3 ;; 7 is divisibleby(3)
1 is eq 1 ;; 1 is equalto(2) ;; 1 is ne 2 ;; 1 is lt 2 ;; 1 is lessthan 1 ;; 2 is gt 1 ;; 2 is greaterthan 2 ;; 1 is le 1 ;; 1 is ge 2 ;; 1 is sameas 1 ;; yes is sameas true ;; 1 is sameas true
1 is in [1, 2] ;; 'a' is in 'abc' ;; 3 is not in xs ;; 'x' is in d
'abc' is lower ;; 'ABC' is upper ;; 'aB' is lower ;; 5 is upper ;; 'upper' is filter ;; 'zzz' is filter ;; 'odd' is test
s is not string ;; not s is string ;; s is string and i is number ;; s is string or missing.x ;; s is defined if yes else no
range is callable ;; s is callable ;; missing is callable ;; namespace is callable
"""

ERRORS = r"""
missing.x ;; missing[0] ;; missing + 1 ;; 1 + missing ;; missing() ;; missing.x.y ;; d.zzz.y ;; none + 1 ;; 'a' + 1 ;; 1 + 'a' ;; [1] + (1,)
s() ;; i[0].x ;; 1 / 0 ;; 1 // 0 ;; 1 % 0 ;; 1.0 / 0 ;; 0 ** -1 ;; 'a' < 1 ;; none < 1 ;; {} < {} ;; 1 in 5 ;; 1 in none ;; 5 in 'a'
xs|nofilter ;; xs is notest ;; xs.append(1) ;; d.update({}) ;; d.pop('b') ;; d.clear() ;; s.__class__.x ;; xs.__len__()
raise_exception('stop') ;; raise_exception(1) ;; range(100001) ;; range(1, 2, 0) ;; xs[::0] ;; s[missing:] ;; d[1:] ;; xs['a':]
{[1]: 2} ;; '-'.join([1]) ;; s.split('') ;; s.index('z') ;; xs.index(9) ;; 5|join ;; none|length ;; i|length ;; (xs|map('string'))|length ;; none|first
xs|sort(attribute='x')|join ;; [1, 'a']|sort ;; [1, 'a']|max ;; none|dictsort ;; xs|items|list ;; none|list ;; d|items(1)
missing|tojson ;; namespace()|tojson ;; {(1, 2): 3}|tojson ;; range(2)|tojson ;; 'a'|round ;; 'a'|abs ;; none|abs ;; missing|int ;; missing|upper|join(1, 2, 3)
'%d' % 'a' ;; '%s %s' % 'a' ;; '%s' % (1, 2) ;; '%q' % 1 ;; '{} {}'.format(1) ;; '{x}'.format(1) ;; '{'.format() ;; 'ab'.center('x')
dict(1) ;; namespace(1) ;; s.startswith(1) ;; s.replace('a') ;; s.upper(1) ;; s.strip(1) ;; s.split(1) ;; s.find() ;; caller() ;; loop.index
"""

PRINT += r"""
+4 ;; +yes ;; -+3 ;; +'a' ;; 1 < 2 < 3 ;; 1 < 3 < 2 ;; 3 > 2 >= 2 != 1 ;; 1 in [1] == true ;; 'a' in 'ab' in ['ab'] ;; 1 < missing.x < 2 ;; 3 < 2 < missing.x ;; not 1 < 2 < 3
' a b  c '.split(none, 1) ;; ' a b  c '.rsplit(none, 1) ;; ' a b '.split(none, 0) ;; ' a b '.rsplit(none, 0) ;; 'aaa'.rsplit('aa') ;; 'aaa'.split('aa') ;; ''.split() ;; '  '.rsplit() ;; 'a b'.rsplit(' ', 5) ;; 'a\u3000b\x1fc'.split()
'a\r\nb\x0bc\u2028d'.splitlines() ;; 'a\nb'.splitlines(true) ;; ''.splitlines() ;; s.endswith(('x', 'ld')) ;; s.startswith(()) ;; s.startswith(['H']) ;; s.find('l', 3, 5) ;; s.rindex('o') ;; s.count('l', 3) ;; s.index('o', 5) ;; s.find('W', -5)
'-5'.zfill(4) ;; '+é'.zfill(5) ;; 'abc'.zfill(2) ;; 'ab'.center(5) ;; 'abc'.center(6, '*') ;; 'ab'.rjust(5, '<') ;; "they're bill's".title() ;; 'ǆ éa'.title() ;; 'ßa bß'|title ;; "hello-world (of) [x]"|title ;; 'Aa1'.isalnum() ;; ''.isalpha() ;; ''.isascii() ;; 'é'.isascii() ;; 'ⅳⓐ'.islower() ;; 'Ⅳ🅰'.isupper() ;; 'ǅ'.isupper() ;; '²'.isdecimal()
'\u2581\x41\U0001F600' ;; '\q' ;; '\a\b\f\v' ;; 1e3 ;; 2.5e-3 ;; 1E+2 ;; nested.list.0.k ;; d.a.1 ;; xs.0 ;; '\ud800' ;; '\U00110000'
dict() ;; dict(d, z=1) ;; dict([('a', 1), ['b', 2]]) ;; namespace({'k': 2}, k=3).k ;; d.copy() == d ;; xs.count(1) ;; xs.index(2) ;; (1, 2).index(2) ;; d.keys()|list ;; d.values()|list ;; 'b' in d.keys()
"""

FILTERS += r"""
s|wordcount ;; lines|wordcount ;; u|wordcount ;; ''|wordcount ;; 'a_b c-d'|wordcount ;; s|urlencode ;; u|urlencode ;; 'a/b?c=d&e~_.-'|urlencode ;; 5|urlencode
nested.list|groupby('n')|list|length ;; 'ʹa'|upper
'%-5s|%5s|%05s|' % ('ab', 'cd', 'ef') ;; '%.1f|%7.2f|%-7.2f|%07.2f|%f' % (f, f, f, n, i) ;; '%03d|%3d|%-3d|%d' % (i, i, n, yes) ;; '{:>5}|{:<5}|{:6d}|{:03d}|{:.1f}|{:07.2f}|{:5.1f}|{:3}'.format(s, 'a', i, i, f, n, f, i) ;; '{0:.2f} {x:>3} {{}}'.format(f, x=i) ;; '{:.2}|{:5}|'.format('abc', 'é') ;; '%s %s'|format(i, s) ;; '%.0f %.0f' % (0.5, 1.5)
'12.7'|int ;; '+5'|int ;; ' 42 '|int ;; 'in'|int ;; 'x_1'|int(7) ;; '1e3'|float ;; '2.50'|float ;; 'abc'|float(1.5) ;; ''|int ;; '-'|int
"""

JSON += r"""
u|tojson(ensure_ascii=true) ;; control|tojson(true) ;; '😀\x7f'|tojson(ensure_ascii=true) ;; d|tojson(indent=2, separators=(', ', ' = ')) ;; nested|tojson(sort_keys=true, indent='>') ;; {'b': {'d': 1, 'c': 2}, 'a': 3}|tojson(sort_keys=true) ;; d|tojson(separators=['', '']) ;; {1: 2, none: true}|tojson ;; d|tojson(separators=(',',)) ;; {1: 2, 'a': 3}|tojson(sort_keys=true)
"""

TESTS += r"""
s is sameas s ;; yes is sameas true ;; 1 is sameas true ;; nil is sameas none ;; [] is sameas [] ;; 'abc' is lower ;; 'ABC' is upper ;; 5 is lower ;; range is callable ;; s is callable ;; missing is callable ;; 2 is in xs ;; 2 is not in xs ;; '<'|safe is escaped ;; 'upper' is filter ;; 'x' is filter ;; 'odd' is test ;; 'x' is test ;; 1 is eq(1) ;; 'a' is odd ;; missing is even
"""

ERRORS += r"""
'%d' % nil ;; '%.1f' % 'a' ;; '{:d}'.format('a') ;; '{:s}'.format(1) ;; '{:5}'.format(none) ;; xs|groupby ;; xs|slice('a')|list ;; dict([1]) ;; dict(1, 2) ;; loop.cycle(1) ;; s.center(9, 'ab') ;; xs|tojson(indent=[]) ;; s.isalpha(1) ;; dict(**xs) ;; dict(**{1: 2}) ;; range(*[1, 2, 3, 4]) ;; s|format(1)
"""

PRINT += r"""
f > 2 ;; i > f ;; [1, f] == [1, f] ;; big == f ;; f == f ;; 2 in [f] ;; -f ;; -yes
-i % 3 ;; [f, big, small, nil, yes] ;; 9223372036854775807 + 0
"""

FILTERS += r"""
html|safe|length ;; html|safe|tojson ;; (html|safe) == html ;; html|safe|string ;; 5|replace('5', '6') ;; 'ﬁΐᾳᾼẞŉ'|upper ;; 'İΑΣ.Σ ΑΣ'|lower ;; 'ﬁx'|capitalize
'ᾳx'|capitalize ;; 'ǆX'|capitalize ;; 'ᾲX'|capitalize
"""


SYNTAX = [
    "for", "1 +", "(1", "[1", "{1}", "{1:}", "'abc", "1 2", "a b", "a..b", "a.",
    "a[", "a[]", "a(", "a(1 2)", "a|", "a |1", "is", "not", "1 is", "1 if", "1]",
    "f(a=1, 2)", "f(**a, *b)", "f(a=1, a=2)", "{{ 1 }}", "1 is string is string",
    "&", "a ! b", "a = 1", "@", "`", "$", "1abc", "'\\x4'", "'\\u12'", "a ? b",
]
