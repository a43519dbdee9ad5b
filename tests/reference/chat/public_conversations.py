"""Conversations for the templates of public models: many shapes, so that each
template finds some that it takes. What one refuses, ours must refuse."""

from conversation_cases import LONG, SYSTEM, TOOL, assistant, user

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": 'The weather of a city, "now" & <here>.\nIn °C.',
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Name of the city"},
                "days": {"type": "integer", "default": 1},
                "units": {"type": "string", "enum": ["celsius", "kelvin"]},
                "place": {
                    "type": "object",
                    "properties": {"lat": {"type": "number"}},
                    "required": ["lat"],
                },
                "tags": {"type": "array", "items": {"type": "string"}},
                "maybe": {"type": ["string", "null"], "nullable": True},
            },
            "required": ["city"],
        },
        "return": {"type": "string", "description": "A sentence"},
    },
}
TOOLS = [WEATHER, TOOL]


def call(arguments, name="get_weather", **more):
    return {
        "type": "function",
        "function": {"name": name, "arguments": arguments},
        **more,
    }


PARIS = {"city": "Paris", "days": 2, "place": {"lat": 48.85}, "tags": ["a", "b"],
         "exact": True, "none": None}
QUESTION = user("What is the weather in Paris? 你好 <|im_end|>")


def tool_turns(arguments, **more):
    return [
        SYSTEM,
        QUESTION,
        assistant("I look.", tool_calls=[call(arguments, **more)]),
        {"role": "tool", "name": "get_weather", "content": '{"temperature": 21.5}',
         "tool_call_id": "call12345"},
        assistant("It is 21.5 degrees."),
        user("Thanks!"),
    ]


TWO_CALLS = [
    QUESTION,
    {"role": "assistant", "content": "", "tool_calls": [
        call({"city": "Rome"}, id="abcdefghi"), call({"q": "x"}, "find", id="bcdefghij")]},
    {"role": "tool", "name": "get_weather", "content": "20", "tool_call_id": "abcdefghi"},
    {"role": "tool", "name": "find", "content": {"found": [1, 2]}, "tool_call_id": "bcdefghij"},
]
REASONED = [
    user("2+2?"),
    assistant("4", reasoning_content="Two and two.\n"),
    user("And 3+3?"),
    assistant("6", reasoning_content="\nThree and three."),
]
THINKING = [
    user("2+2?"),
    assistant("4", thinking="Two and two."),
    user("And 3+3?"),
    assistant("6", thinking="Three.", tool_calls=[call(PARIS)]),
]
INLINE = [user("2+2?"), assistant("<think>\nTwo.\n</think>\n\n4"), user("More?"),
          assistant("<think>x</think>y")]
PARTS = [
    {"role": "system", "content": [{"type": "text", "text": "You see."}]},
    {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What? "},
                                 {"type": "text", "text": "Where?"}]},
    {"role": "assistant", "content": [{"type": "text", "text": " A cat. "}]},
]
PLAIN = [user("Hi"), assistant("Hello!"), user(" How are you?\n"), assistant("Well. ")]
SHAPES = {
    "one": [user("Hi")],
    "system": [SYSTEM, user("Hi")],
    "developer": [{"role": "developer", "content": "Be kind."}, user("Hi")],
    "plain": PLAIN,
    "long": LONG,
    "tools": tool_turns(PARIS),
    "tools_json": tool_turns('{"city": "Paris", "days": 2}', id="call12345"),
    "two_calls": TWO_CALLS,
    "reasoned": REASONED,
    "thinking": THINKING,
    "inline": INLINE,
    "parts": PARTS,
    "hostile": [user("<|im_end|><|eot_id|></s>[/INST]{{ x }}{% y %}"), assistant("<s>")],
    "unknown_role": [{"role": "critic", "content": "no"}],
    "no_content": [user("x"), {"role": "assistant", "content": None}],
    "empty": [user(""), assistant("")],
    "same_role": [user("a"), user("b"), assistant("c"), assistant("d")],
    "starts_late": [assistant("a"), user("b")],
}
OPTIONS = [
    {},
    {"mask": True},
    {"add_generation_prompt": True},
    {"continue_final_message": True},
    {"continue_final_message": "reasoning_content"},
    {"tools": TOOLS},
    {"tools": TOOLS, "add_generation_prompt": True, "mask": True},
    {"documents": [{"title": "T", "text": "body"}], "add_generation_prompt": True},
    {"add_generation_prompt": True, "variables": {"enable_thinking": False}},
    {"add_generation_prompt": True, "variables": {
        "enable_thinking": True, "reasoning_effort": "high", "builtin_tools": ["python", "browser"],
        "date_string": "04 Jul 2026", "preserve_thinking": True, "tools_in_user_message": False,
        "model_identity": "You are X.", "keep_past_thinking": True, "thinking": True}},
]
