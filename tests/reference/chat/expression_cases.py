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
1 ;; 00
.5
'a' 'b' ;; "x\ny" ;; 'tab\there'
[] ;; [1,] ;; () ;; (1,) ;; 1, 2 ;; (1, 'b') ;; {} ;; {'a': 1, "b": [2]}
{'a': 1, 'a': 2}
[control] ;; ['é', '\n', "it's", 'q"q']
true ;; True ;; false ;; none ;; None
1 + 2 ;; 7 - 10 ;; 3 * 4 ;; 7 % 3 ;; -7 % 3 ;; 7 % -3
yes + 1
- 3 ;; --4 ;; -(1 + 2) * 3 ;; 1 - 2 - 3 ;; 2 * 3 % 4
'a' + 'b' ;; 'ab' * 3 ;; 3 * 'ab' ;; 'ab' * -1 ;; [1] + [2] ;; (1,) + (2,)
s ~ missing ~ i ;; 1 ~ 2 + 3
1 == true ;; 'a' == 'a' ;; [1, 2] == [1, 2] ;; (1,) == [1] ;; none == none
1 != 2 ;; 'a' < 'b' ;; 'a' < 'B' ;; 2 >= 2 ;; 3 > 3
'a' in 'abc' ;; '' in 'abc' ;; 'x' not in 'abc'
2 in xs ;; 5 not in xs ;; 'a' in d ;; 'z' in d ;; 1 in [true] ;; none in [none] ;; missing in xs ;; 1 in missing
not 1 ;; not missing ;; not not 'a' ;; 1 and 2 ;; 0 and 2 ;; '' or 'x' ;; none or 0 ;; 1 or missing.x ;; 0 or none or 'z'
1 if yes else 2 ;; 1 if no else 2 ;; 1 if no ;; 'a' if no else 'b' if no else 'c' ;; (1 if yes) + 1
missing == missing ;; missing == none ;; missing != 1 ;; missing is defined ;; missing == other
xs[0] ;; xs[-1] ;; xs[9] ;; xs[1:] ;; xs[:-1] ;; xs[::-1] ;; xs[::2] ;; xs[-2:] ;; xs[5:] ;; xs[:0] ;; xs[1:2] ;; xs[-1:0:-1]
s[0] ;; s[-1] ;; s[99] ;; s[2:5] ;; s[:-3] ;; s[::-1] ;; s[::2] ;; s[5::-2] ;; u[0:6] ;; u[::-1] ;; u[7] ;; u[-1] ;; u[-3:]
d['b'] ;; d.b ;; d['a'][1] ;; d.a[-1] ;; d.zzz ;; d['zzz'] ;; d['items'] ;; d.get('b') ;; d.get('q')
d.get('q', 'dflt') ;; d.get('a')[0] ;; d.b.c ;; none.x ;; s.zzz ;; i.zzz
nested.list[0].k ;; nested['list'][1]['n'] ;; nested.list[2].k ;; nested.list|length
s.upper() ;; s.lower() ;; s.capitalize() ;; s.strip() ;; blank.strip() ;; blank.lstrip() ;; blank.rstrip()
s.strip('Hd') ;; 'xxaxx'.strip('x') ;; 'xxaxx'.lstrip('x') ;; 'xxaxx'.rstrip('x') ;; 'ab'.strip('')
s.split(' ') ;; s.split('o') ;; s.split('o', 1) ;; ' a  b '.split(' ') ;; s.split('zz')
'a,b,c'.split(',', maxsplit=1)
''.split(',') ;; 'a,'.split(',') ;; 'aXbX'.split('X')
s.replace('o', '0') ;; s.replace('o', '0', 1) ;; 'abc'.replace('', '-') ;; 'aaa'.replace('aa', 'b') ;; s.replace('z', 'y')
s.startswith('He') ;; s.endswith('ld') ;; s.endswith('')
s.find('o') ;; s.find('z') ;; s.rfind('o') ;; u.find('你')
u.upper() ;; u.lower() ;; u.capitalize() ;; 'ßa'.capitalize()
range(3)|list ;; range(0)|list ;; range(3)[1] ;; range(3)|length ;; 2 in range(3)
namespace(a=1).a
"""

FILTERS = r"""
html|safe ;; (html|safe) ~ '<b>' ;; '<'|safe is string ;; html|safe|length ;; html|safe|tojson ;; (html|safe) == html ;; html|safe|string
5|replace('5', '6') ;; 'ﬁΐᾳᾼẞŉ'|upper ;; 'İΑΣ.Σ ΑΣ'|lower ;; 'ﬁx'|capitalize ;; 'ᾳx'|capitalize ;; 'ǆX'|capitalize ;; 'ᾲX'|capitalize
s|length ;; xs|count ;; d|length ;; u|length ;; missing|length ;; ''|length
s|upper ;; s|lower ;; s|capitalize ;; 5|upper ;; none|lower
blank|trim ;; s|trim('H') ;; 5|trim ;; missing|trim ;; u|upper ;; u|lower
xs|first ;; xs|last ;; empty|first ;; s|first ;; s|last ;; d|first ;; d|last ;; missing|first
xs|join ;; xs|join(', ') ;; words|join('|') ;; empty|join('x') ;; s|join('-')
xs|list ;; s|list ;; d|list ;; range(2)|list
s|replace('l', 'L') ;; missing|replace('a', 'b')
missing|default('x') ;; nil|default('x') ;; nil|default('x', true) ;; ''|d('y', boolean=true) ;; missing|default ;; i|default(1) ;; 0|default(5, true)
html|safe
(html|safe) ~ '<b>'
'<'|safe is string
d|dictsort ;; {'B': 1, 'a': 2}|dictsort
d|items|list ;; missing|items|list ;; d|items|first
xs|map('string')|list ;; words|map('upper')|join ;; nested.list|map(attribute='n')|list ;; nested.list|map(attribute='k')|list
xs|map('default', 1)|list ;; words|map('replace', 'b', 'B')|list ;; [[1, 2], [3]]|map('length')|list
xs|select|list ;; [0, 1, '', none]|select|list ;; xs|reject('equalto', 2)|list ;; [0, 1]|reject|list ;; xs|select('in', [1, 2])|list
nested.list|selectattr('k')|list ;; nested.list|selectattr('k', 'defined')|map(attribute='k')|list ;; nested.list|selectattr('n', 'equalto', 'y')|list ;; nested.list|rejectattr('k')|list ;; nested.list|selectattr('k', '>=', 2)|list
nested.list|rejectattr('n', 'in', ['x'])|map(attribute='n')|join(',') ;; empty|selectattr('x')|list ;; missing|map('upper')|list ;; missing|last
i|string ;; nil|string ;; xs|string ;; missing|string ;; f|string ;; s|string
"""

JSON = r"""
s|tojson ;; u|tojson ;; html|tojson ;; control|tojson ;; i|tojson ;; f|tojson ;; big|tojson ;; small|tojson ;; nil|tojson ;; yes|tojson ;; xs|tojson ;; empty|tojson ;; d|tojson ;; nested|tojson ;; {}|tojson
d|tojson(indent=2) ;; nested|tojson(indent=4) ;; empty|tojson(indent=2) ;; {}|tojson(indent=2) ;; d|tojson(indent=0)
(1, 2)|tojson ;; ('<'|safe)|tojson ;; d|tojson|tojson
range(3)|list|tojson ;; d|tojson|length ;; xs|tojson|upper ;; xs|map('tojson')|list
"""

PRINT += r"""f > 2 ;; i > f ;; [1, f] == [1, f] ;; big == f ;; f == f ;; 2 in [f] ;; -f ;; -yes ;; 7 % -3 ;; -7 % 3 ;; -i % 3 ;; [f, big, small, nil, yes] ;; 9223372036854775807 + 0
"""

TESTS = r"""
missing is defined ;; s is defined ;; missing is undefined ;; s is undefined ;; nil is none ;; s is none ;; missing is none
s is string ;; i is string ;; nil is string ;; d is mapping ;; xs is mapping ;; s is mapping
xs is iterable ;; s is iterable ;; d is iterable ;; i is iterable ;; missing is iterable ;; nil is iterable
xs is sequence ;; s is sequence ;; d is sequence ;; i is sequence ;; missing is sequence ;; (1, 2) is sequence ;; range(2) is sequence ;; d.items() is sequence ;; (xs|map('string')) is sequence ;; (xs|map('string')) is iterable
i is number ;; f is number ;; yes is number ;; s is number ;; yes is boolean ;; 1 is boolean ;; nil is boolean
i is integer ;; f is integer ;; yes is integer ;; f is float ;; i is float
yes is true ;; 1 is true ;; no is false ;; 0 is false ;; nil is false
s is not string ;; not s is string ;; s is string and i is number ;; s is string or missing.x ;; s is defined if yes else no
"""

ERRORS = r"""
missing.x ;; missing[0] ;; missing + 1 ;; 1 + missing ;; missing() ;; missing.x.y ;; d.zzz.y ;; none + 1 ;; 'a' + 1 ;; 1 + 'a' ;; [1] + (1,)
s() ;; i[0].x ;; 1 / 0 ;; 1 // 0 ;; 1 % 0 ;; 1.0 / 0 ;; 0 ** -1 ;; 'a' < 1 ;; none < 1 ;; {} < {} ;; 1 in 5 ;; 1 in none ;; 5 in 'a'
xs|nofilter ;; xs is notest ;; xs.append(1) ;; d.update({}) ;; d.pop('b') ;; d.clear() ;; s.__class__.x ;; xs.__len__()
raise_exception('stop') ;; raise_exception(1) ;; range(100001) ;; range(1, 2, 0) ;; xs[::0] ;; s[missing:] ;; d[1:] ;; xs['a':]
{[1]: 2} ;; '-'.join([1]) ;; s.split('') ;; s.index('z') ;; xs.index(9) ;; 5|join ;; none|length ;; i|length ;; (xs|map('string'))|length ;; none|first
[1, 'a']|sort ;; [1, 'a']|max ;; none|dictsort ;; xs|items|list ;; none|list ;; d|items(1)
missing|tojson ;; namespace()|tojson ;; {(1, 2): 3}|tojson ;; range(2)|tojson ;; 'a'|round ;; 'a'|abs ;; none|abs ;; missing|int ;; missing|upper|join(1, 2, 3)
'%d' % 'a' ;; '%s %s' % 'a' ;; '%s' % (1, 2) ;; '%q' % 1 ;; '{} {}'.format(1) ;; '{x}'.format(1) ;; '{'.format() ;; 'ab'.center('x')
dict(1) ;; namespace(1) ;; s.startswith(1) ;; s.replace('a') ;; s.upper(1) ;; s.strip(1) ;; s.split(1) ;; s.find() ;; caller() ;; loop.index
"""

SYNTAX = [
    "for", "1 +", "(1", "[1", "{1}", "{1:}", "'abc", "1 2", "a b", "a..b", "a.",
    "a[", "a[]", "a(", "a(1 2)", "a|", "a |1", "is", "not", "1 is", "1 if", "1]",
    "f(a=1, 2)", "f(**a, *b)", "f(a=1, a=2)", "{{ 1 }}", "1 is string is string",
    "&", "a ! b", "a = 1", "@", "`", "$", "1abc", "'\\x4'", "'\\u12'", "a ? b",
]
