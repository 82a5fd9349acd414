"""The provider table on payloads of each kind, with the official SDKs and full texts as oracles."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any, ClassVar

import httpx2
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from streamtape import providers
from streamtape.providers import (
    GENERIC,
    PROVIDERS,
    Provider,
    carries_token,
    detect,
    has_terminal,
    in_band_error,
    is_terminal,
    output_tokens,
    stream_text,
    token_text,
    with_token_text,
)
from streamtape.providers.paths import path, paths, texts
from streamtape.wire.framing import event_reader
from streamtape.wire.sse import Event, encode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from streamtape.wire.framing import Framing

NAMES = {
    "a2a",
    "anthropic",
    "anthropic-completions",
    "bedrock-converse",
    "bedrock-invoke",
    "cohere-v1",
    "cohere-v2",
    "gemini",
    "generic",
    "json-rpc",
    "mistral",
    "ollama",
    "openai-chat",
    "openai-responses",
}


def event(payload: object, kind: str = "message") -> Event:
    """An event whose data is *payload*: text as it is, anything else as JSON."""
    return Event(kind, payload if isinstance(payload, str) else json.dumps(payload))


def chat(delta: dict[str, Any], finish: str | None = None, **more: object) -> dict[str, Any]:
    """A chunk as OpenAI's chat sends it."""
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]} | more


def wrapped(payload: object) -> str:
    """What Bedrock's InvokeModelWithResponseStream makes of a model's payload."""
    inside = base64.b64encode(json.dumps(payload).encode()).decode()
    return json.dumps({"bytes": inside, "p": "abcdefgh"})


# One line is one event: what is expected of it; its type with an @, where it is not the payload's
# own; its data, with lines that stand further in going on. Expected is the token text in quotation
# marks, ~ for a token that is no text, or - for none; a # says that the event ends the stream. The
# number is the reported usage.
STREAMS: dict[str, tuple[str, int | None, str]] = {
    "OpenAI chat": ("openai-chat", 9, r"""
        -      {"choices":[],"id":"","prompt_filter_results":[]}
        -      {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}],"usage":null}
        "Rain" {"choices":[{"index":0,"delta":{"content":"Rain"},"finish_reason":null}]}
        " 🌧"  {"choices":[{"index":0,"delta":{"content":" 🌧"},"finish_reason":null}]}
        ~      {"choices":[{"index":0,"delta":{"content":null,"refusal":"No."}}]}
        -      {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
        -      {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":9,"total_tokens":12}}
        -#     [DONE]
    """),
    "OpenAI chat, tool call": ("openai-chat", None, r"""
        -  {"choices":[{"delta":{"role":"assistant","content":null}}]}
        ~  {"choices":[{"delta":{"tool_calls":[{"function":{"name":"weather","arguments":""}}]}}]}
        -  {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":""}}]}}]}
        ~  {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}}]}
        ~  {"choices":[{"delta":{"function_call":{"arguments":"{}"}}}]}
        -  {"choices":[{"delta":{},"finish_reason":"tool_calls"}]}
        -# [DONE]
    """),
    "DeepSeek": ("openai-chat", 31, r"""
        -   {"choices":[{"delta":{"content":null,"reasoning_content":""}}]}
        ~   {"choices":[{"delta":{"content":null,"reasoning_content":"Let me see"}}]}
        "4" {"choices":[{"delta":{"content":"4","reasoning_content":null}}]}
        -   {"choices":[{"delta":{"content":""}}],"usage":{"completion_tokens":31}}
        -#  [DONE]
    """),
    "OpenRouter and Snowflake": ("openai-chat", None, r"""
        ~  {"choices":[{"delta":{"content":"","reasoning_details":[{"text":"Hm"}]}}]}
        ~  {"choices":[{"delta":{"content":"","reasoning":"Hm"}}]}
    """),
    "Groq": ("openai-chat", 3, r"""
        "Hi" {"choices":[{"delta":{"content":"Hi"}}],"x_groq":{"id":"req_7"}}
        -    {"choices":[{"delta":{}}],"x_groq":{"usage":{"completion_tokens":3}}}
    """),
    "Together sends each token twice": ("openai-chat", None, r"""
        "1," {"choices":[{"index":0,"text":"1,","delta":{"role":"assistant","content":"1,"}}]}
    """),
    "OpenAI legacy completions": ("openai-chat", None, r"""
        "Once"  {"object":"text_completion","choices":[{"text":"Once","finish_reason":null}]}
        " more" {"object":"text_completion","choices":[{"text":" more","finish_reason":"stop"}]}
        -#      [DONE]
    """),
    "two choices": ("openai-chat", None, r"""
        "ab" {"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}]}
    """),
    "Perplexity repeats the whole message": ("openai-chat", None, r"""
        - {"choices":[{"delta":{"content":""},"message":{"content":"All of it again"}}]}
    """),
    "Mistral": ("mistral", 2, r"""
        -       {"model":"mistral-large-latest","choices":[{"delta":{"content":""}}]}
        "Salut" {"model":"mistral-large-latest","choices":[{"delta":{"content":"Salut"}}],"p":"ab"}
        -       {"model":"m","choices":[{"delta":{}}],"p":"a","usage":{"completion_tokens":2}}
        -#      [DONE]
    """),
    "Magistral": ("mistral", None, r"""
        ~     {"model":"magistral-1","choices":[{"delta":{"content":
              [{"type":"thinking","thinking":[{"type":"text","text":"Hm"}]}]}}]}
        "So"  {"model":"magistral-1","choices":
              [{"delta":{"content":[{"type":"text","text":"So"}]}}]}
    """),
    "OpenAI responses": ("openai-responses", 17, r"""
        -      {"type":"response.created","response":{"error":null,"output":[],"usage":null}}
        -      {"type":"response.output_item.added","item":{"type":"message","content":[]}}
        "Snow" {"type":"response.output_text.delta","delta":"Snow","obfuscation":"x7Yq"}
        -      {"type":"response.output_text.delta","delta":""}
        -      {"type":"response.output_text.done","text":"Snow"}
        -#     {"type":"response.completed","response":{"usage":{"output_tokens":17}}}
    """),
    "OpenAI responses, reasoning and a tool call": ("openai-responses", None, r"""
        ~  {"type":"response.reasoning_summary_text.delta","delta":"**Plan**"}
        ~  {"type":"response.output_item.added","item":{"type":"function_call","name":"get_date"}}
        ~  {"type":"response.function_call_arguments.delta","delta":"{}"}
        -  {"type":"response.function_call_arguments.done","arguments":"{}"}
        ~  {"type":"response.refusal.delta","delta":"I can't"}
        -  {"type":"response.shell_call_output_content.delta","delta":"a.txt"}
        -# {"type":"response.incomplete","response":{"usage":null}}
    """),
    "Anthropic": ("anthropic", 26, r"""
        -       {"type":"message_start","message":{"content":[],"usage":{"output_tokens":1}}}
        -       {"type":"content_block_start","content_block":{"type":"thinking","thinking":""}}
        -       {"type":"ping"}
        ~       {"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"Hm"}}
        -       {"type":"content_block_delta","delta":{"type":"signature_delta","signature":"Eq"}}
        -       {"type":"content_block_start","content_block":{"type":"text","text":""}}
        "Hello" {"type":"content_block_delta","delta":{"type":"text_delta","text":"Hello"}}
        -       {"type":"content_block_stop","index":1}
        ~       {"type":"content_block_start","content_block":{"type":"tool_use","name":"f"}}
        -       {"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":""}}
        ~       {"type":"content_block_delta","delta":{"partial_json":"{}"}}
        -       {"type":"message_delta","usage":{"output_tokens":20}}
        -       {"type":"message_delta","delta":{"stop_reason":"x"},"usage":{"output_tokens":26}}
        -#      {"type":"message_stop"}
    """),
    "Anthropic, broken off": ("anthropic", None, r"""
        -     {"type":"message_start","message":{"content":[],"usage":{"output_tokens":1}}}
        "Hel" {"type":"content_block_delta","delta":{"type":"text_delta","text":"Hel"}}
    """),
    "Anthropic legacy completions": ("anthropic-completions", None, r"""
        " Sky" {"type":"completion","completion":" Sky","stop_reason":null,"log_id":"compl_1"}
        -      {"type":"ping"}
        -#     {"type":"completion","completion":"","stop_reason":"stop_sequence"}
    """),
    "Gemini": ("gemini", 6, r"""
        ~       {"candidates":[{"content":{"parts":[{"text":"Hm","thought":true}]}}],
                 "usageMetadata":{"promptTokenCount":5,"totalTokenCount":5}}
        "Foggy" {"candidates":[{"content":{"parts":
                 [{"text":"Fog"},{"text":"gy","thought":false}]}}]
                 ,"usageMetadata":{"candidatesTokenCount":2}}
        ~       {"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{}}}]}}]}
        "."#    {"candidates":[{"content":{"parts":[{"text":"."}]},"finishReason":"STOP"}],
                 "usageMetadata":{"candidatesTokenCount":6,"thoughtsTokenCount":40}}
    """),
    "Gemini, prompt blocked": ("gemini", None, r"""
        -# {"promptFeedback":{"blockReason":"SAFETY"}}
    """),
    "Cohere v2": ("cohere-v2", 5, r"""
        -      {"type":"message-start","delta":{"message":{"content":[],"tool_plan":""}}}
        ~      {"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will"}}}
        ~      {"type":"tool-call-start","delta":{"message":{"tool_calls":
                {"function":{"name":"f"}}}}}
        -      {"type":"content-start","delta":{"message":{"content":{"type":"text","text":""}}}}
        "Wind" {"type":"content-delta","delta":{"message":{"content":{"text":"Wind"}}}}
        ~      {"type":"content-delta","delta":{"message":{"content":{"thinking":"Hm"}}}}
        -      {"type":"content-end","index":0}
        -#     {"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":
                {"billed_units":{"output_tokens":4},"tokens":{"output_tokens":5}}}}
        -#     [DONE]
    """),
    "Cohere v1": ("cohere-v1", 3, r"""
        -     {"is_finished":false,"event_type":"stream-start","generation_id":"g"}
        "Sun" {"is_finished":false,"event_type":"text-generation","text":"Sun"}
        ~     {"is_finished":false,"event_type":"tool-calls-chunk","text":"I will"}
        -#    {"is_finished":true,"event_type":"stream-end","finish_reason":"COMPLETE",
               "response":{"text":"Sun","meta":{"billed_units":{"output_tokens":3}}}}
    """),
    "Cohere generate": ("cohere-v1", None, r"""
        "Hot" {"text":"Hot","is_finished":false}
        -#    {"is_finished":true,"finish_reason":"MAX_TOKENS","response":{"text":"Hot"}}
    """),
    "Ollama chat": ("ollama", 8, r"""
        ~     {"model":"g","message":{"role":"assistant","content":"","thinking":"Hm"},"done":false}
        "Ice" {"model":"g","message":{"role":"assistant","content":"Ice"},"done":false}
        -#    {"model":"g","message":{"content":""},"done":true,"eval_count":8}
    """),
    "Ollama generate": ("ollama", 1, r"""
        "Ha" {"model":"g","created_at":"2025-05-19T09:26:59Z","response":"Ha","done":false}
        -#   {"model":"g","response":"","done":true,"prompt_eval_count":16,"eval_count":1}
    """),
    "Bedrock converse": ("bedrock-converse", 43, r"""
        -     @messageStart {"role":"assistant","p":"abc"}
        -     @contentBlockDelta {"contentBlockIndex":0,"delta":{"text":""},"p":"abc"}
        ~     @contentBlockDelta {"contentBlockIndex":1,"delta":{"reasoningContent":{"text":"Hm"}}}
        "Hot" @contentBlockDelta {"contentBlockIndex":2,"delta":{"text":"Hot"}}
        -     @contentBlockStop {"contentBlockIndex":2}
        ~     @contentBlockStart {"contentBlockIndex":3,"start":{"toolUse":{"name":"f"}}}
        ~     @contentBlockDelta {"contentBlockIndex":3,"delta":{"toolUse":{"input":"{}"}}}
        -#    @messageStop {"stopReason":"end_turn","p":"ab"}
        -     @metadata {"metrics":{"latencyMs":7},"usage":{"inputTokens":7,"outputTokens":43}}
    """),
    "Bedrock invoke, Claude": ("bedrock-invoke", 12, r"""
        -     {"type":"message_start","message":{"usage":{"output_tokens":1}}}
        "Dry" {"type":"content_block_delta","delta":{"type":"text_delta","text":"Dry"}}
        -     {"type":"message_delta","usage":{"output_tokens":12}}
        -#    {"type":"message_stop","amazon-bedrock-invocationMetrics":{"outputTokenCount":12}}
    """),
    "Bedrock invoke, Titan": ("bedrock-invoke", 2, r"""
        "Dew" {"outputText":"Dew","index":0,"completionReason":null}
        "."#  {"outputText":".","completionReason":"FINISH","totalOutputTextTokenCount":2}
    """),
    "Bedrock invoke, Llama": ("bedrock-invoke", 2, r"""
        "Low" {"generation":"Low","generation_token_count":1,"stop_reason":null}
        -#    {"generation":"","generation_token_count":2,"stop_reason":"stop"}
    """),
    "Bedrock invoke, Mistral": ("bedrock-invoke", 5, r"""
        "High" {"outputs":[{"text":"High","stop_reason":null}]}
        "er"   {"choices":[{"index":0,"message":{"role":"assistant","content":"er"}}]}
        -#     {"outputs":[{"text":"","stop_reason":"stop"}]}
        -#     {"choices":[],"amazon-bedrock-invocationMetrics":{"outputTokenCount":5}}
    """),
    "Bedrock invoke, Nova": ("bedrock-invoke", 4, r"""
        -      {"messageStart":{"role":"assistant"}}
        "Mist" {"contentBlockDelta":{"delta":{"text":"Mist"},"contentBlockIndex":0}}
        ~      {"contentBlockStart":{"start":{"toolUse":{"name":"f"}}}}
        -#     {"messageStop":{"stopReason":"end_turn"}}
        -      {"metadata":{"usage":{"inputTokens":3,"outputTokens":4}}}
    """),
    "A2A 0.3": ("a2a", None, r"""
        -      {"jsonrpc":"2.0","id":1,"result":{"kind":"task","status":{"state":"submitted"}}}
        -      {"jsonrpc":"2.0","id":1,"result":{"kind":"status-update","final":false}}
        "Part" {"jsonrpc":"2.0","id":1,"result":{"kind":"artifact-update","artifact":
                {"parts":[{"kind":"text","text":"Part"}]}}}
        "ed"#  {"jsonrpc":"2.0","id":1,"result":{"kind":"status-update","final":true,"status":
                {"state":"completed","message":{"parts":[{"kind":"text","text":"ed"}]}}}}
    """),
    "A2A 0.3, a message": ("a2a", None, r"""
        "Hi"# {"jsonrpc":"2.0","id":1,"result":{"kind":"message","parts":[{"text":"Hi"}]}}
    """),
    "A2A 0.3, a task that is done": ("a2a", None, r"""
        -# {"jsonrpc":"2.0","id":1,"result":{"kind":"task","status":{"state":"failed"}}}
    """),
    "A2A 1.0": ("a2a", None, r"""
        -     {"jsonrpc":"2.0","id":1,"result":{"task":{"status":{"state":"TASK_STATE_SUBMITTED"}}}}
        "One" {"jsonrpc":"2.0","id":1,"result":{"artifactUpdate":
               {"artifact":{"parts":[{"text":"One"}]}}}}
        -#    {"jsonrpc":"2.0","id":1,"result":{"statusUpdate":
               {"status":{"state":"TASK_STATE_COMPLETED"}}}}
    """),
    "A2A 1.0, a message": ("a2a", None, r"""
        "Hi"# {"jsonrpc":"2.0","id":1,"result":{"message":{"parts":[{"text":"Hi"}]}}}
    """),
    "MCP": ("json-rpc", None, r"""
        -        {"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}
        -        {"jsonrpc":"2.0","id":4,"method":"sampling/createMessage","params":{}}
        "72 °F"# {"jsonrpc":"2.0","id":3,"result":{"content":[{"type":"text","text":"72 °F"}]}}
    """),
    "MCP, an empty result": ("json-rpc", None, r"""
        -# {"jsonrpc":"2.0","id":0,"result":{}}
    """),
    "plain text": ("generic", None, r"""
        "Just"      Just
        "5"         5
        "true"      true
        "{not json" {not json
        -           @ping beat
        -#          @done bye
        -#          [DONE]
    """),
    "JSON of nobody's": ("generic", None, r"""
        "Hel"  "Hel"
        -      null
        "lo"   {"value":"lo"}
        " you" {"token":{"text":" you","id":3},"generated_text":null}
        "a"    {"text":"a","content":"b"}
        -      {"usage":{"completion_tokens":3}}
        -      {"type":"status","status":"busy"}
        -#     @message {"type":"end"}
        -#     {"done":true}
    """),
}  # fmt: skip
LINE = re.compile(r'(-|~|"[^"]*")(#?)\s+(?:@(\w+) )?(.*)', re.DOTALL)


@cache
def written(stream: str) -> list[tuple[Event, tuple[str, bool, bool]]]:
    """The events of a stream above, each with its text, whether it has a token, whether it ends."""
    name, _, block = STREAMS[stream]
    read = []
    for line in re.split(r"\n(?=\S)", dedent(block).strip()):
        match = LINE.fullmatch(line)
        assert match is not None, line
        mark, end, kind, data = match.groups()
        try:
            payload = json.loads(data)
        except ValueError:
            payload = None
        if name == "bedrock-invoke":
            kind, data = "chunk", wrapped(payload)
        elif kind is None:
            kind = payload.get("type", "message") if isinstance(payload, dict) else "message"
        text = mark[1:-1] if mark.startswith('"') else ""
        read.append((Event(kind, data), (text, mark != "-", end == "#")))
    return read


def events_of(stream: str) -> list[Event]:
    """The events of a stream above."""
    return [one for one, _ in written(stream)]


@pytest.mark.parametrize("stream", STREAMS)
class TestEachProvider:
    """Everything that the table says, against what is written above."""

    def test_is_recognised(self, stream: str) -> None:
        provider = detect(events_of(stream))
        assert provider is not None
        assert provider.name == STREAMS[stream][0]

    def test_reads_each_event_as_part_of_its_stream(self, stream: str) -> None:
        provider = detect(events_of(stream))
        assert provider is not None
        for one, expected in written(stream):
            read = provider.token_text(one), provider.carries_token(one), provider.is_terminal(one)
            assert read == expected, one
            assert provider.in_band_error(one) is None, one

    def test_reads_each_event_by_itself(self, stream: str) -> None:
        for one, expected in written(stream):
            assert (token_text(one), carries_token(one), is_terminal(one)) == expected, one
            assert in_band_error(one) is None, one

    def test_knows_the_whole(self, stream: str) -> None:
        events = events_of(stream)
        assert output_tokens(events) == STREAMS[stream][1]
        assert stream_text(events) == "".join(text for _, (text, _, _) in written(stream))
        assert has_terminal(events) is any(ends for _, (_, _, ends) in written(stream))
        assert has_terminal(iter(events)) is has_terminal(events)


# One event each, by itself: the provider, what is expected as above, the data.
SINGLE = r"""
    openai-chat ~ {"choices":[{"delta":{"function_call":{"name":"f"}}}]}
    openai-chat ~ {"choices":[{"delta":{"audio":{"transcript":"Hi"}}}]}
    mistral - {"choices":[],"p":"abc"}
    mistral "a" {"choices":[{"delta":{"content":"a"}}],"model":"codestral-2"}
    mistral "a" {"choices":[{"delta":{"content":"a"}}],"model":"ministral-8b"}
    mistral "a" {"choices":[{"delta":{"content":"a"}}],"model":"devstral-small"}
    mistral "a" {"choices":[{"delta":{"content":"a"}}],"model":"pixtral-12b"}
    mistral "a" {"choices":[{"delta":{"content":"a"}}],"model":"open-mixtral-8x7b"}
    openai-responses ~ {"type":"response.reasoning_text.delta","delta":"a"}
    openai-responses ~ {"type":"response.custom_tool_call_input.delta","delta":"a"}
    openai-responses ~ {"type":"response.mcp_call_arguments.delta","delta":"a"}
    openai-responses ~ {"type":"response.code_interpreter_call_code.delta","delta":"a"}
    openai-responses ~ {"type":"response.shell_call_command.delta","delta":"a"}
    openai-responses ~ {"type":"response.audio.transcript.delta","delta":"a"}
    openai-responses -# {"type":"response.failed","response":{}}
    openai-responses -# {"type":"response.cancelled"}
    anthropic - {"type":"message_start"}
    anthropic - {"type":"content_block_start"}
    anthropic "a" {"type":"content_block_start","content_block":{"type":"text","text":"a"}}
    anthropic ~ {"type":"content_block_start","content_block":{"thinking":"a"}}
    anthropic - {"type":"content_block_stop"}
    anthropic - {"type":"message_delta"}
    anthropic-completions "a" {"completion":"a","stop_reason":null,"log_id":"1"}
    gemini - {"usageMetadata":{"promptTokenCount":1}}
    gemini ~ {"candidates":[{"content":{"parts":[{"executableCode":{"code":"1+1"}}]}}]}
    cohere-v2 - {"type":"message-start"}
    cohere-v2 "a" {"type":"content-start","delta":{"message":{"content":{"text":"a"}}}}
    cohere-v2 - {"type":"content-end"}
    cohere-v2 ~ {"type":"tool-call-start","delta":{"message":{"tool_calls":{"function":{"name":"f"}}}}}
    cohere-v2 ~ {"type":"tool-call-delta","delta":{"message":{"tool_calls":{"function":{"arguments":"{"}}}}}
    cohere-v2 - {"type":"tool-call-end"}
    cohere-v2 - {"type":"citation-start","delta":{"message":{"citations":{"text":"a"}}}}
    cohere-v2 - {"type":"citation-end"}
    cohere-v1 ~ {"event_type":"tool-calls-chunk","is_finished":false,"tool_call_delta":{"name":"f"}}
    cohere-v1 ~ {"event_type":"tool-calls-chunk","is_finished":false,"tool_call_delta":{"parameters":"{"}}
    cohere-v1 - {"event_type":"citation-generation","is_finished":false,"text":"a"}
    ollama ~ {"model":"g","response":"","thinking":"a","done":false}
    ollama ~ {"model":"g","message":{"tool_calls":[{"function":{"name":"f"}}]},"done":false}
    bedrock-converse - {"usage":{"inputTokens":1,"outputTokens":2}}
    bedrock-invoke ~ {"contentBlockDelta":{"delta":{"reasoningContent":{"text":"a"}}}}
    bedrock-invoke ~ {"contentBlockDelta":{"delta":{"toolUse":{"input":"{}"}}}}
    a2a -# {"jsonrpc":"2.0","result":{"kind":"task","status":{"state":"completed"}}}
    a2a -# {"jsonrpc":"2.0","result":{"kind":"task","status":{"state":"canceled"}}}
    a2a -# {"jsonrpc":"2.0","result":{"kind":"task","status":{"state":"rejected"}}}
    a2a - {"jsonrpc":"2.0","result":{"kind":"task","status":{"state":"working"}}}
    a2a "a" {"jsonrpc":"2.0","result":{"statusUpdate":{"status":{"message":{"parts":[{"text":"a"}]}}}}}
    a2a - {"jsonrpc":"2.0","result":{"statusUpdate":{"status":{"state":"TASK_STATE_WORKING"}}}}
    a2a -# {"jsonrpc":"2.0","result":{"statusUpdate":{"status":{"state":"TASK_STATE_FAILED"}}}}
    a2a -# {"jsonrpc":"2.0","result":{"statusUpdate":{"status":{"state":"TASK_STATE_CANCELED"}}}}
    a2a -# {"jsonrpc":"2.0","result":{"statusUpdate":{"status":{"state":"TASK_STATE_REJECTED"}}}}
    a2a -# {"jsonrpc":"2.0","result":{"statusUpdate":{"status":{"state":"TASK_STATE_INPUT_REQUIRED"}}}}
    a2a -# {"jsonrpc":"2.0","result":{"statusUpdate":{"status":{"state":"TASK_STATE_AUTH_REQUIRED"}}}}
    a2a -# {"jsonrpc":"2.0","result":{"task":{"status":{"state":"TASK_STATE_COMPLETED"}}}}
    json-rpc -# {"jsonrpc":"2.0","id":1,"result":{"tools":[]}}
    generic "a" {"content":"a"}
    generic "a" {"delta":"a"}
    generic "a" {"token":"a"}
    generic -# {"type":"done"}
    generic -# {"type":"complete"}
    generic -# @end a
    generic -# @complete a
"""  # noqa: E501  # a payload is easier to read on one line


@pytest.mark.parametrize("line", dedent(SINGLE).strip().splitlines())
def test_one_event(line: str) -> None:
    name, rest = line.split(" ", 1)
    match = LINE.fullmatch(rest)
    assert match is not None
    mark, end, kind, data = match.groups()
    data = wrapped(json.loads(data)) if name == "bedrock-invoke" else data
    one = Event(kind or "message", data)
    provider = detect([one])
    assert provider is not None
    assert provider.name == name
    text = mark[1:-1] if mark.startswith('"') else ""
    assert readings(provider, one)[:3] == (text, mark != "-", end == "#")


@pytest.mark.parametrize(
    ("payload", "tokens"),
    [
        ({"type": "message-end", "delta": {"usage": {"billed_units": {"output_tokens": 4}}}}, 4),
        ({"is_finished": True, "response": {"meta": {"tokens": {"output_tokens": 5}}}}, 5),
    ],
)
def test_where_else_usage_stands(payload: object, tokens: int) -> None:
    assert output_tokens([event(payload)]) == tokens


def test_the_last_of_the_table_takes_what_the_others_leave() -> None:
    assert PROVIDERS[-1] is GENERIC
    assert GENERIC.matches({"any": "thing"})
    assert GENERIC.matches("text")


def test_every_provider_has_a_stream_here() -> None:
    assert {provider.name for provider in PROVIDERS} == NAMES
    assert {name for name, _, _ in STREAMS.values()} == NAMES


@pytest.mark.parametrize("stream", STREAMS)
def test_the_order_of_the_table_matters_only_for_special_cases(stream: str) -> None:
    for one in events_of(stream):
        takers = [p.name for p in PROVIDERS[:-1] if p.matches(providers.payload_of(one))]
        assert len(takers) <= 1 or takers in (["mistral", "openai-chat"], ["a2a", "json-rpc"])


# Each with the type of the event, its data, and the message.
ERRORS = {
    "OpenAI": (
        "message",
        '{"error":{"message":"The server had an error","type":"server_error","code":null}}',
        "The server had an error",
    ),
    "no message but a type": ("message", '{"error":{"type":"overloaded"}}', "overloaded"),
    "nothing but a number": ("message", '{"error":{"code":7}}', '{"error":{"code":7}}'),
    "OpenRouter": (
        "message",
        '{"choices":[{"delta":{"content":""},"finish_reason":"error"}],"error":{"message":"Gone"}}',
        "Gone",
    ),
    "a choice that failed": (
        "message",
        '{"choices":[{"finish_reason":"error","error":{"message":"Upstream"}}]}',
        "Upstream",
    ),
    "a choice that failed without a word": (
        "message",
        '{"choices":[{"finish_reason":"error"}]}',
        '{"choices":[{"finish_reason":"error"}]}',
    ),
    "vLLM": ("message", '{"object":"error","message":"Too long","code":400}', "Too long"),
    "OpenAI responses, failed": (
        "response.failed",
        '{"type":"response.failed","response":{"error":{"code":"x","message":"Sorry"}}}',
        "Sorry",
    ),
    "OpenAI responses, failed without a word": (
        "response.failed",
        '{"type":"response.failed"}',
        '{"type":"response.failed"}',
    ),
    "OpenAI responses, error": (
        "error",
        '{"type":"error","code":"rate_limit_exceeded","message":"Slow down"}',
        "Slow down",
    ),
    "Anthropic": (
        "error",
        '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
        "Overloaded",
    ),
    "Anthropic, its type lost": (
        "message",
        '{"type":"error","error":{"type":"api_error","message":"Internal"}}',
        "Internal",
    ),
    "Gemini": (
        "message",
        '{"error":{"code":503,"message":"Try later","status":"UNAVAILABLE"}}',
        "Try later",
    ),
    "Gemini, in an array": ("message", '[{"error":{"message":"Bad key"}}]', "Bad key"),
    "Ollama": ("message", '{"error":"model not found"}', "model not found"),
    "Cohere v1": (
        "message",
        '{"is_finished":true,"event_type":"stream-end","finish_reason":"ERROR_TOXIC"}',
        '{"is_finished":true,"event_type":"stream-end","finish_reason":"ERROR_TOXIC"}',
    ),
    "Cohere v1, with a word": (
        "message",
        '{"is_finished":true,"finish_reason":"ERROR","error":"Sorry"}',
        "Sorry",
    ),
    "Cohere v2, without a word": (
        "message-end",
        '{"type":"message-end","delta":{"finish_reason":"ERROR"}}',
        '{"type":"message-end","delta":{"finish_reason":"ERROR"}}',
    ),
    "Cohere v2": (
        "message-end",
        '{"type":"message-end","delta":{"finish_reason":"ERROR","error":"Broken"}}',
        "Broken",
    ),
    "Bedrock": ("throttlingException", '{"message":"Too many requests"}', "Too many requests"),
    "Bedrock, empty": ("InternalFailure", "", "InternalFailure"),
    "JSON-RPC": (
        "message",
        '{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"No such method"}}',
        "No such method",
    ),
    "JSON-RPC, a batch": (
        "message",
        '[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"error":{"message":"No"}}]',
        "No",
    ),
    "plain text": ("error", "out of memory", "out of memory"),
    "a detail": ("error", '{"detail":"Nope"}', "Nope"),
    "white space": ("error", " ", "error"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_in_band_errors(case: str) -> None:
    kind, data, message = ERRORS[case]
    assert in_band_error(Event(kind, data)) == message
    assert token_text(Event(kind, data)) == ""
    provider = detect([Event(kind, data)])
    assert provider is not None
    assert provider.in_band_error(Event(kind, data)) == message


@pytest.mark.parametrize("nothing", [None, False, "", {}, [], 0])
def test_an_empty_error_field_is_no_error(nothing: object) -> None:
    assert in_band_error(event(chat({"content": "a"}, error=nothing))) is None


@pytest.mark.parametrize("data", ["[DONE]", "[DONE] ", "\n[DONE]"])
def test_white_space_around_the_sentinel_is_nothing(data: str) -> None:
    assert is_terminal(Event(data=data))
    assert not carries_token(Event(data=data))
    assert not is_terminal(Event(data=f"{data}!"))


@pytest.mark.parametrize(
    ("case", "ends"), [("OpenAI responses, failed", True), ("JSON-RPC", True), ("OpenAI", False)]
)
def test_only_some_errors_are_the_proper_end_of_a_stream(case: str, *, ends: bool) -> None:
    kind, data, _ = ERRORS[case]
    assert is_terminal(Event(kind, data)) is ends


def test_a_stream_is_known_by_its_first_event_of_a_known_shape() -> None:
    first = event({"error": {"message": "busy"}})
    provider = detect([first, Event("ping", '{"type":"ping"}'), event(chat({"content": "a"}))])
    assert provider is not None
    assert provider.name == "openai-chat"
    assert detect([first]) is GENERIC
    assert detect([]) is None
    assert (stream_text([]), has_terminal([]), output_tokens([])) == ("", False, None)


def test_a_known_stream_reads_no_text_from_events_of_another_shape() -> None:
    events = [event(chat({"content": "a"})), event({"type": "notice", "text": "busy"})]
    assert stream_text(events) == "a"
    assert token_text(events[1]) == "busy"


@pytest.mark.parametrize("count", ["7", 7.0, True, -1, None, [7]])
def test_a_count_that_is_no_count_is_left_out(count: object) -> None:
    assert output_tokens([event(chat({}, usage={"completion_tokens": count}))]) is None


def test_the_last_report_of_usage_counts() -> None:
    reports = [event(chat({}, usage={"completion_tokens": n})) for n in (0, 4, 11)]
    assert output_tokens([*reports, event(chat({}, usage=None))]) == 11


@pytest.mark.parametrize("inside", ["%%%", "é", "AA", base64.b64encode(b"[1]").decode(), "", 5])
def test_bytes_that_wrap_no_object_are_nobodys(inside: object) -> None:
    assert detect([event({"bytes": inside})]) is GENERIC
    assert token_text(event({"bytes": inside})) == ""


class TestPaths:
    """The little language of the table."""

    PAYLOAD: ClassVar[Any] = {
        "a": {"b": 1, "c": None},
        "list": [{"k": "x", "v": 1}, {"k": "y", "v": 2, "t": True}, 3],
        "n": 0,
        "e": "",
        "d.x-y": 5,
    }

    @pytest.mark.parametrize(
        ("written", "found"),
        [
            ("", [PAYLOAD]),
            ("a.b", [1]),
            ("a.c", []),
            ("a.b.c", []),
            ("list[].v", [1, 2]),
            ("list[k=y].v", [2]),
            ("list[k=x|y].v", [1, 2]),
            ("list[k^=y].k", ["y"]),
            ("list[t].v", [2]),
            ("list[!t].v", [1]),
            ("list[t=true]v", [2]),
            ("list.k", []),
            ("a[]", []),
            ("n[]", []),
            ("[n]a.b", [1]),
            ("[e]a.b", []),
            ("[a][n=0]a.b", [1]),
            ("[a][n=1]a.b", []),
            ("list[2]", [3]),
            ("list[0].v", [1]),
            ("list[3]", []),
            ("a[0]", []),
            ("[missing]", []),
            ("[d.x-y]n", [0]),
        ],
    )
    def test_finds(self, written: str, found: list[object]) -> None:
        assert path(written).find(self.PAYLOAD) == found
        assert [holder[key] for holder, key in path(written).places([self.PAYLOAD])] == found
        assert str(path(written)) == f"path({written!r})"
        assert path(written) == path(written)

    @pytest.mark.parametrize(
        "written",
        [
            *("a..b", "[", "a[b", "]", "[a=b=]]", "a.", "[a = b]", "[a==b]", "[ a]", " a", "a .b"),
            *('[a="b"]', "[a='b'|c]", "[a=b| c]", 7, None),
        ],
    )
    def test_refuses_what_it_cannot_read(self, written: str) -> None:
        with pytest.raises(ValueError, match="no path"):
            path(written)

    def test_the_first_path_with_text_wins(self) -> None:
        assert texts(paths("z", "x[]", "y"), {"x": ["a", 1, "b"], "y": "c"}) == "ab"
        assert texts(paths("x[]", "y"), {"x": [""], "y": "c"}) == "c"
        assert texts((), {}) == ""

    def test_what_is_found_can_be_replaced(self) -> None:
        root: list[Any] = [json.loads(json.dumps(self.PAYLOAD))]
        for holder, key in path("list[k=y].v").places(root):
            holder[key] = "new"
        assert root == [{**self.PAYLOAD, "list": [
            {"k": "x", "v": 1}, {"k": "y", "v": "new", "t": True}, 3]}]  # fmt: skip
        [(holder, key)] = path("").places(root)
        holder[key] = "all"
        assert root == ["all"]


# Total: whatever comes, something is said and nothing is raised.

KNOWN_PAYLOADS = [
    payload
    for stream in STREAMS
    for one in events_of(stream)
    if isinstance(payload := providers.payload_of(one), dict)
]
WORDS = sorted(set(re.findall(r"[A-Za-z_.-]+", json.dumps(KNOWN_PAYLOADS))))
"""Every key and most strings of the payloads above."""

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(WORDS)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inner),
    max_leaves=12,
)


@st.composite
def spoiled(draw: st.DrawFn) -> object:
    """A payload of some provider in which one value has become something else."""
    payload: Any = json.loads(json.dumps(draw(st.sampled_from(KNOWN_PAYLOADS))))
    holder: Any = payload
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            return payload
        key = draw(st.sampled_from(keys))
        if not isinstance(holder[key], dict | list) or draw(st.booleans()):
            holder[key] = draw(JSON)
            return payload
        holder = holder[key]


ANY_EVENT = st.builds(
    Event,
    st.sampled_from(["message", "error", "ping", "done", "chunk", "xException", "message_delta"]),
    st.one_of(
        spoiled().map(json.dumps),
        JSON.map(json.dumps),
        spoiled().map(wrapped),
        st.text(),
        st.sampled_from(["", "[DONE]", "[" * 100_000, "1" * 5_000, "NaN", '"\\ud800"']),
    ),
)


def readings(provider: Provider | ModuleType, one: Event) -> tuple[str, bool, bool, str | None]:
    """Everything that *provider* (or the module) says of one event, its types checked."""
    text, carries = provider.token_text(one), provider.carries_token(one)
    ends, error = provider.is_terminal(one), provider.in_band_error(one)
    assert isinstance(text, str)
    assert carries is bool(carries)
    assert carries or not text
    assert ends is bool(ends)
    assert error is None or error
    return text, carries, ends, error


@given(st.lists(ANY_EVENT, max_size=6))
def test_nothing_raises_and_the_whole_is_the_sum_of_its_events(events: list[Event]) -> None:
    provider = detect(events)
    assert (provider is None) is (not events)
    count = output_tokens(events)
    assert count is None or (isinstance(count, int) and count >= 0)
    for one in events:
        readings(providers, one)
    if provider is not None:
        read = [readings(provider, one) for one in events]
        assert stream_text(events) == "".join(text for text, *_ in read)
        assert has_terminal(events) is any(ends for *_, ends, _ in read)


@given(ANY_EVENT)
def test_every_provider_reads_every_event(one: Event) -> None:
    for provider in PROVIDERS:
        readings(provider, one)
        provider.output_tokens([one])


# Writing: another text in an event, one event as several, and an error in the provider's words.

WITH_TEXT = [one for stream in STREAMS for one, (text, _, _) in written(stream) if text]
"""Every event above that has a text."""


def whose(one: Event) -> Provider:
    """The provider of an event that stands by itself."""
    provider = detect([one])
    assert provider is not None
    return provider


def leaves(value: object, where: tuple[object, ...] = ()) -> Iterator[tuple[object, object]]:
    """Each value in a payload that holds no others, with where it stands."""
    if isinstance(value, dict) and set(value) == {"bytes", "p"}:
        yield from leaves(json.loads(base64.b64decode(value["bytes"])), where)
    elif isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*where, key))
    else:
        yield where, value


class TestWithTokenText:
    """Another text in an event's payload."""

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (
                '{"choices": [{"delta": {"content": "Caf\\u00e9"}}], "n": [1.50, null, true]}',
                '{"choices":[{"delta":{"content":"é\u2028\\ud83d"}}],"n":[1.5,null,true]}',
            ),
            (
                '{"choices":[{"delta":{"content":"a"}},{"delta":{"content":"b"}}]}',
                '{"choices":[{"delta":{"content":"é\u2028\\ud83d"}},{"delta":{"content":""}}]}',
            ),
            (  # Together repeats it, and goes on to
                '{"choices":[{"text":"1,","delta":{"content":"1,"}}]}',
                '{"choices":[{"text":"é\u2028\\ud83d","delta":{"content":"é\u2028\\ud83d"}}]}',
            ),
            (  # a role alone has a place for a text
                '{"choices":[{"text":"","delta":{"role":"assistant","content":""}}]}',
                '{"choices":[{"text":"","delta":{"role":"assistant","content":"é\u2028\\ud83d"}}]}',
            ),
            (
                '{"candidates":[{"content":{"parts":[{"text":"a","thought":true},{"text":"b"}]}}]}',
                '{"candidates":[{"content":{"parts":[{"text":"a","thought":true},{"text":"é\u2028\\ud83d"}]}}]}',
            ),
            ('"Hel"', '"é\u2028\\ud83d"'),
            ("Hel", "é\u2028\ud83d"),
        ],
    )
    def test_where_it_goes_and_how_it_is_written(self, before: str, after: str) -> None:
        changed = with_token_text(Event("chunk", before, "7"), "é\u2028\ud83d")
        assert changed == Event("chunk", after, "7")

    @pytest.mark.parametrize(
        "one",
        [
            Event(data='{"choices":[{"delta":{},"finish_reason":"stop"}]}'),
            Event(data='{"choices":[{"delta":{"content":null}}]}'),
            Event(data='{"type":"message_stop"}'),
            Event(data="[DONE]"),
            Event("ping", "beat"),
            Event("error", "Gone"),
            Event(data="null"),
        ],
    )
    def test_an_event_without_a_place_has_none(self, one: Event) -> None:
        assert with_token_text(one, "text") is None

    @pytest.mark.parametrize("text", ["[DONE]", '"quoted"', "null", '{"text":"other"}'])
    def test_plain_text_cannot_say_what_would_be_read_as_something_else(self, text: str) -> None:
        assert with_token_text(Event(data="Hel"), text) is None
        assert with_token_text(Event(data='"Hel"'), text) is not None

    @given(st.sampled_from(WITH_TEXT), st.text() | st.text('\ud83d\ude00"\\\n\0[]{}'))
    def test_is_read_back_and_nothing_else_changes(self, one: Event, text: str) -> None:
        provider = whose(one)
        changed = provider.with_token_text(one, text)
        if changed is None:
            # JSON joins the halves; another text would be read; plain text can't say everything.
            halves = "\ud83d\ude00" in text
            other = (one.data, text) == ('{"text":"a","content":"b"}', "")
            plain = provider is GENERIC and providers.payload_of(one) == one.data
            assert halves or other or plain
            return
        assert provider.token_text(changed) == text
        assert (changed.type, changed.last_event_id) == (one.type, one.last_event_id)
        payload = providers.payload_of(one)
        old = dict(leaves(payload))
        new = dict(leaves(providers.payload_of(changed)))
        assert old.keys() == new.keys()
        before = [value for where, value in old.items() if new[where] != value]
        assert before == [] or "".join(dict.fromkeys(before)) == provider.token_text(one)

    def test_an_event_by_itself_says_the_same_as_in_its_stream(self) -> None:
        for one in WITH_TEXT:
            assert with_token_text(one, "a b") == whose(one).with_token_text(one, "a b")


class TestSplit:
    """One event with a text as several."""

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (
                {"id": "c", "choices": [{"index": 0,
                 "delta": {"role": "assistant", "content": "Hi"},
                 "logprobs": {"content": []}, "finish_reason": "stop"}], "usage": {"x": 1}},
                [
                    {"id": "c", "choices": [{"index": 0,
                     "delta": {"role": "assistant", "content": "H"},
                     "logprobs": None, "finish_reason": None}], "usage": None},
                    {"id": "c", "choices": [{"index": 0, "delta": {"content": "i"},
                     "logprobs": {"content": []}, "finish_reason": "stop"}], "usage": {"x": 1}},
                ],
            ),
            (
                {"candidates": [{"content": {"parts": [{"text": "Hi"}], "role": "model"},
                 "finishReason": "STOP"}], "usageMetadata": {"candidatesTokenCount": 3}},
                [
                    {"candidates": [{"content": {"parts": [{"text": "H"}], "role": "model"},
                     "finishReason": None}], "usageMetadata": {"candidatesTokenCount": 3}},
                    {"candidates": [{"content": {"parts": [{"text": "i"}], "role": "model"},
                     "finishReason": "STOP"}], "usageMetadata": {"candidatesTokenCount": 3}},
                ],
            ),
            (
                {"type": "content_block_delta", "index": 2,
                 "delta": {"type": "text_delta", "text": "Hi"}},
                [
                    {"type": "content_block_delta", "index": 2,
                     "delta": {"type": "text_delta", "text": "H"}},
                    {"type": "content_block_delta", "index": 2,
                     "delta": {"type": "text_delta", "text": "i"}},
                ],
            ),
        ],
        ids=["chat", "gemini", "anthropic"],
    )  # fmt: skip
    def test_each_says_what_it_alone_may_say(self, before: object, after: list[object]) -> None:
        one = event(before, "chunk")
        made = whose(one).split(one, ["H", "i"])
        assert [json.loads(each.data) for each in made] == after
        assert {each.type for each in made} == {"chunk"}

    @pytest.mark.parametrize(
        "one",
        [
            event(chat({"content": "Hi", "tool_calls": [{"index": 0}]})),
            event(chat({"content": "Hi", "reasoning_content": "Hm"})),
            event({"choices": [{"delta": {"content": "Hi"}, "message": {"content": "Oh Hi"}}]}),
            event({"type": "content_block_start", "content_block": {"type": "text", "text": "Hi"}}),
            event({"candidates": [{"content": {"parts": [{"text": "Hi"}, {"inlineData": {}}]}}]}),
            event({"type": "content-start", "delta": {"message": {"content": {"text": "Hi"}}}}),
            event({"model": "g", "response": "Hi", "done": True}),
            event({"jsonrpc": "2.0", "id": 1, "result": {"content": [
                {"type": "text", "text": "Hi"}]}}),
            event(wrapped({"outputText": "Hi"})),
            event("Hi"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_said_twice_stays_one(self, one: Event) -> None:
        assert whose(one).split(one, ["H", "i"]) == [one]

    def test_pieces_that_are_one_event_are_one_text(self) -> None:
        one = event(chat({"content": "Hi", "tool_calls": [{"index": 0}]}))
        made = whose(one).split(one, ["H", "o"])
        assert [token_text(each) for each in made] == ["Ho"]

    def test_a_piece_that_json_cannot_say_makes_no_events(self) -> None:
        one = event(chat({"content": "Hi"}))
        assert whose(one).split(one, ["a", "\ud83d\ude00"]) is None
        assert whose(one).split(one, ["\ud83d", "\ude00"]) is not None

    @pytest.mark.parametrize(
        ("payload", "by", "expected"),
        [
            ({"type": "response.created", "sequence_number": 3}, 2, 5),
            ({"type": "response.created", "sequence_number": 3}, 0, 3),
            ({"type": "response.created", "sequence_number": "3"}, 2, "3"),
            ({"type": "response.created"}, 2, None),
        ],
    )
    def test_events_are_counted_where_the_provider_counts_them(
        self, payload: dict[str, object], by: int, expected: object
    ) -> None:
        one = event(payload)
        deltas = whose(one).deltas
        assert deltas is not None
        assert json.loads(deltas.moved(one, by).data).get("sequence_number") == expected


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
class TestErrorEvent:
    """An error in a provider's own words."""

    @given(message=st.text('\ud800"\\\n$é aid', min_size=1).filter(str.strip))
    def test_is_read_back(self, provider: Provider, message: str) -> None:
        one = provider.error_event(message)
        assert provider.in_band_error(one) == in_band_error(one) == message.strip()
        assert (provider.token_text(one), token_text(one)) == ("", "")
        assert isinstance(json.loads(one.data), dict)

    def test_answers_the_request_that_the_stream_answers(self, provider: Provider) -> None:
        stream = [
            event({"jsonrpc": "2.0", "id": 9, "method": "sampling/createMessage"}),
            event({"type": "response.created", "sequence_number": 3}),
            event({"jsonrpc": "2.0", "id": 4, "result": {}}),
            event({"jsonrpc": "2.0", "method": "notifications/progress"}),
            event({"jsonrpc": "2.0", "id": 8, "method": "roots/list"}),
            event("[DONE]"),
        ]
        payload = json.loads(provider.error_event("Gone", stream).data)
        assert payload.get("id", 4) == 4
        assert payload.get("sequence_number", 3) == 3


def test_errors_are_written_as_the_providers_write_them() -> None:
    forms = {provider.name: provider.error_event("Gone") for provider in PROVIDERS}
    assert forms["anthropic"] == Event(
        "error", '{"type":"error","error":{"type":"overloaded_error","message":"Gone"}}'
    )
    assert forms["ollama"] == Event(data='{"error":"Gone"}')
    assert forms["json-rpc"] == Event(
        data='{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"Gone"}}'
    )
    assert forms["openai-responses"].type == "response.failed"


@pytest.mark.parametrize("name", ["openai-chat", "mistral"])
def test_the_openai_sdk_raises_what_says_error(name: str) -> None:
    openai = pytest.importorskip("openai")
    [provider] = [each for each in PROVIDERS if each.name == name]
    events = [event(chat({"content": "a"})), provider.error_event("Gone")]
    with through_sdk(events) as http:
        client = openai.OpenAI(api_key="k", base_url="http://test", http_client=http)
        stream = client.chat.completions.create(model="m", messages=[], stream=True)
        if name == "mistral":  # whose own client knows this form
            assert [chunk.object for chunk in stream][1:] == ["error"]
        else:
            with pytest.raises(openai.APIError, match="Gone"):
                list(stream)


def test_the_anthropic_sdk_raises_what_says_error() -> None:
    anthropic = pytest.importorskip("anthropic")
    [provider] = [each for each in PROVIDERS if each.name == "anthropic"]
    with through_sdk([provider.error_event("Gone")]) as http:
        client = anthropic.Anthropic(api_key="k", base_url="http://test", http_client=http)
        stream = client.messages.create(model="m", max_tokens=9, messages=[], stream=True)
        with pytest.raises(anthropic.APIStatusError, match="Gone"):
            list(stream)


# Recorded streams.

CORPUS = Path(__file__).parents[1].parent / "shared" / "corpus"
needs_corpus = pytest.mark.skipif(
    not (CORPUS / "manifest.json").is_file(), reason=f"no recorded streams: {CORPUS} is not there"
)
FRAMINGS: dict[str, Framing] = {"sse": "sse", "ndjson": "ndjson", "aws-eventstream": "eventstream"}
RECORDED_AS = {
    "OpenAI Responses": "openai-responses",
    "Anthropic legacy": "anthropic-completions",
    "Anthropic": "anthropic",
    "langchain-tests": "anthropic",
    "Ruby VCR": "anthropic",
    "Polly.js": "anthropic",
    "httprr": "anthropic",
    "Gemini": "gemini",
    "Vertex": "gemini",
    "pydantic-ai custom serializer, Gemini": "gemini",
    "go-vcr v2": "gemini",
    "Mistral": "mistral",
    "Cohere v2": "cohere-v2",
    "Cohere v1": "cohere-v1",
    "Ollama": "ollama",
    "AWS Bedrock ConverseStream": "bedrock-converse",
    "aiohttp recording": "bedrock-invoke",
    "A2A": "a2a",
    "Writer": "generic",
}
"""What a note in the manifest starts with, and whose stream that is; all others are OpenAI chat."""
WITHOUT_TEXT = (
    "__test_prompt_chain.yaml#0",  # the first six call a tool and say nothing
    "__test_span_hierarchy_with_tools.yaml#0",
    "_acomplete_anthropic[Return True-output_types1-bool].yaml#0",
    "_xai_complete[Return True.-output_types1-bool].yaml#0",
    "__test_agent_loop_streaming.yaml.gz#0",
    "__stream-with-tools-responses-1.json#0",
    "__thinking-streaming.yaml#0",  # says three spaces
)
WITHOUT_TERMINAL = (
    "__test_huggingface_simple_streaming_request.yaml#0",  # sends no [DONE]
    "__test_writer_streaming_completions_legacy.yaml#0",  # has no such event
    "__stream-with-tools-2.sse#0",  # no last blank line, so [DONE] isn't dispatched
    "__stream-with-tools-responses-1.json#0",  # likewise
)


def manifest() -> list[Any]:
    """What the corpus says of its files; nothing where there is no corpus."""
    if not (CORPUS / "manifest.json").is_file():
        return []
    entries: list[Any] = json.loads((CORPUS / "manifest.json").read_text(encoding="utf-8"))
    return entries


NOTES: dict[str, str] = {
    f"{entry['file']}#{stream['idx']}": entry["note"]
    for entry in manifest()
    for stream in entry["streams"]
    if stream["format"] in FRAMINGS and stream["status"] != 404  # which is JSON, not a stream
}


@cache
def recorded() -> dict[str, list[Event]]:
    """The events of each recorded stream, by file and index."""
    streams = {}
    for entry in manifest():
        bodies = {hashlib.sha256(body).hexdigest(): body for body in bodies_in(entry["file"])}
        for stream in entry["streams"]:
            name = f"{entry['file']}#{stream['idx']}"
            if name in NOTES:
                body = bodies[stream["sha256"]]
                reader = event_reader(FRAMINGS[stream["format"]])
                assert reader is not None
                streams[name] = [*reader.feed(body), *reader.finish()]
    return streams


def bodies_in(name: str) -> Iterator[bytes]:
    """Whatever might be a body in a file of any recorder."""
    raw = (CORPUS / name).read_bytes()
    raw = gzip.decompress(raw) if name.endswith(".gz") else raw
    yield raw
    yield from (raw[found.end() :] for found in re.finditer(rb"\r\n\r\n", raw))
    try:
        nodes = [yaml.compose(raw, Loader=yaml.CSafeLoader)]
    except yaml.YAMLError:
        nodes = []
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.MappingNode):
            nodes += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif node is not None:
            body = node.value.encode(errors="surrogatepass")
            if node.tag.endswith("binary"):
                body = base64.b64decode(body)
            yield gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def recorded_as(note: str) -> str:
    """Whose stream the manifest's *note* says this is."""
    starts = [start for start in RECORDED_AS if note.startswith(start)]
    return RECORDED_AS[max(starts, key=len)] if starts else "openai-chat"


def recorded_by(provider: str) -> list[str]:
    """The recorded streams of one provider."""
    return [name for name, note in NOTES.items() if recorded_as(note) == provider]


def through_sdk(events: list[Event]) -> httpx2.Client:
    """A client of httpx2 that gets *events* as its response, whatever it asks."""
    answer = httpx2.Response(
        200, headers={"content-type": "text/event-stream"}, content=encode(events)
    )
    return httpx2.Client(transport=httpx2.MockTransport(lambda _: answer))


@needs_corpus
class TestRecordedStreams:
    """Streams that others recorded from the real services."""

    def test_the_corpus_is_read(self) -> None:
        assert recorded().keys() == NOTES.keys()

    @pytest.mark.parametrize("name", NOTES)
    def test_known_by_its_name(self, name: str) -> None:
        provider = detect(recorded()[name])
        assert provider is not None
        assert provider.name == recorded_as(NOTES[name])

    @pytest.mark.parametrize("name", NOTES)
    def test_has_text_and_an_end_and_no_error(self, name: str) -> None:
        events = recorded()[name]
        assert bool(stream_text(events).strip()) is not name.endswith(WITHOUT_TEXT)
        assert any(carries_token(one) for one in events)
        assert has_terminal(events) is not name.endswith(WITHOUT_TERMINAL)
        assert [in_band_error(one) for one in events if in_band_error(one)] == []

    @pytest.mark.parametrize("name", NOTES)
    def test_one_event_by_itself_says_the_same(self, name: str) -> None:
        provider = detect(recorded()[name])
        assert provider is not None
        for one in recorded()[name]:
            assert readings(providers, one) == readings(provider, one)

    @pytest.mark.parametrize("name", NOTES)
    def test_another_text_is_read_back(self, name: str) -> None:
        provider = detect(recorded()[name])
        assert provider is not None
        for one in recorded()[name]:
            if text := provider.token_text(one):
                same = provider.with_token_text(one, text)
                assert (
                    providers.payload_of(same) == providers.payload_of(one)
                    or whose(one).name == "bedrock-invoke"
                )
                for other in ("", "a\u2028b", '"\ud83d\\', " [DONE]\n\n"):
                    changed = provider.with_token_text(one, other)
                    assert changed is not None
                    assert provider.token_text(changed) == other

    @pytest.mark.parametrize("name", NOTES)
    def test_the_end_is_at_the_end(self, name: str) -> None:
        """After the event that ends it comes at most one more: a report of usage, or `[DONE]`."""
        assert not any(is_terminal(one) for one in recorded()[name][:-2])

    @pytest.mark.parametrize("name", recorded_by("openai-responses"))
    def test_the_text_is_what_openai_responses_repeat_at_the_end(self, name: str) -> None:
        output = json.loads(recorded()[name][-1].data)["response"]["output"]
        parts = [part["text"] for item in output for part in item.get("content", ())]
        assert stream_text(recorded()[name]) == "".join(parts)

    @pytest.mark.parametrize("name", recorded_by("cohere-v1"))
    def test_the_text_is_what_cohere_repeats_at_the_end(self, name: str) -> None:
        whole = json.loads(recorded()[name][-1].data)["response"]["text"]
        assert stream_text(recorded()[name]) == whole

    @pytest.mark.parametrize("name", recorded_by("openai-chat") + recorded_by("mistral"))
    def test_the_openai_sdk_reads_the_same(self, name: str) -> None:
        openai = pytest.importorskip("openai")
        with through_sdk(recorded()[name]) as http:
            client = openai.OpenAI(api_key="k", base_url="http://test", http_client=http)
            chunks = list(client.chat.completions.create(model="m", messages=[], stream=True))
        deltas = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
        assert stream_text(recorded()[name]) == "".join(deltas)
        usages = [chunk.usage.completion_tokens for chunk in chunks if chunk.usage]
        if usages:  # Groq's stands in a field of its own
            assert output_tokens(recorded()[name]) == usages[-1]

    @pytest.mark.parametrize("name", recorded_by("anthropic"))
    def test_the_anthropic_sdk_reads_the_same(self, name: str) -> None:
        anthropic = pytest.importorskip("anthropic")
        with through_sdk(recorded()[name]) as http:
            client = anthropic.Anthropic(api_key="k", base_url="http://test", http_client=http)
            with client.messages.stream(model="m", max_tokens=9, messages=[]) as stream:
                message = stream.get_final_message()
        text = "".join(block.text for block in message.content if block.type == "text")
        assert stream_text(recorded()[name]) == text
        assert output_tokens(recorded()[name]) == message.usage.output_tokens
