"""The table: what each provider's payloads look like, one row each. A new provider is one more row.

Who can't add it here registers it: `providers.register`.

Which row a payload belongs to is told from its shape alone, never from a host, so that filtered
cassettes and gateways are known too. The first row whose shape fits is the one: a narrower shape
stands before a wider one.

Where a row names several paths for its text or usage, the first that leads to something counts.
"""

from __future__ import annotations

from streamtape.providers.deltas import Deltas
from streamtape.providers.json_rpc import A2A, JSON_RPC
from streamtape.providers.paths import paths
from streamtape.providers.provider import Provider

_CHAT_TEXT = paths(
    "choices[].delta.content",
    "choices[].delta.content[type=text].text",  # Mistral's reasoning models: a list of parts
    "choices[].text",  # legacy completions
    "choices[!delta].message.content",  # Bedrock's Mistral; beside a delta it would repeat all
)
_CHAT_GENERATED = paths(
    "choices[].delta.reasoning_content",
    "choices[].delta.reasoning",
    "choices[].delta.reasoning_details[].text",
    "choices[].delta.content[type=thinking].thinking[].text",
    "choices[].delta.refusal",
    "choices[].delta.tool_calls[].function.name",
    "choices[].delta.tool_calls[].function.arguments",
    "choices[].delta.function_call.name",
    "choices[].delta.function_call.arguments",
    "choices[].delta.audio.transcript",
)
_CHAT_USAGE = paths("usage.completion_tokens", "x_groq.usage.completion_tokens")
_CHAT_ERRORS = paths("choices[finish_reason=error].error.message", "choices[finish_reason=error]")
_CHAT_ERROR = (
    "message",
    '{"error":{"message":$message,"type":"server_error","param":null,"code":null}}',
)
_CHAT_DELTAS = Deltas(
    of=paths("choices[].index"),
    first=paths("choices[].delta.role"),
    last=paths(
        "choices[].finish_reason", "choices[].stop_reason", "choices[].logprobs", "usage", "x_groq"
    ),
    alone=paths(
        "choices[].delta.content[!text]",
        "choices[].delta.tool_calls[]",
        "choices[].delta.reasoning_details[]",
        "choices[].delta.annotations[]",
        "choices[].delta.images[]",
        "choices[].message",
    ),
)
_RESPONSES_ERROR = (
    "response.failed",
    (
        '{"type":"response.failed","sequence_number":$sequence_number,"response":{"id":"resp_0",'
        '"object":"response","status":"failed","error":{"code":"server_error","message":$message},'
        '"output":[]}}'
    ),
)
_ANTHROPIC_ERROR = (
    "error",
    '{"type":"error","error":{"type":"overloaded_error","message":$message}}',
)
_BEDROCK_ERROR = ("modelStreamErrorException", '{"message":$message,"originalStatusCode":500}')

_SPOKEN = (
    Provider(
        # Token text is where OpenAI has it; `p` is padding against traffic analysis.
        name="mistral",
        shape=paths(
            "[choices][model^=mistral|magistral|codestral|ministral|devstral|pixtral|open-mi]",
            "[choices][p]",
        ),
        text=_CHAT_TEXT,
        generated=_CHAT_GENERATED,
        usage=_CHAT_USAGE,
        errors=_CHAT_ERRORS,
        deltas=_CHAT_DELTAS,
        error_form=("message", '{"object":"error","message":$message,"type":"internal_error"}'),
    ),
    Provider(
        # OpenAI's chat and legacy completions, and what speaks like it: Azure, Groq, OpenRouter,
        # Together, xAI, DeepSeek, vLLM, Hugging Face, Gemini's and Snowflake's compatible doors.
        # `[DONE]`, which ends it, is known for all.
        name="openai-chat",
        shape=paths("[choices]"),
        text=_CHAT_TEXT,
        generated=_CHAT_GENERATED,
        usage=_CHAT_USAGE,
        errors=_CHAT_ERRORS,
        deltas=_CHAT_DELTAS,
        error_form=_CHAT_ERROR,
    ),
    Provider(
        name="openai-responses",
        shape=paths("[type^=response.]"),
        text=paths("[type=response.output_text.delta]delta"),
        generated=paths(
            "[type=response.reasoning_text.delta|response.reasoning_summary_text.delta"
            "|response.refusal.delta|response.function_call_arguments.delta"
            "|response.custom_tool_call_input.delta|response.mcp_call_arguments.delta"
            "|response.code_interpreter_call_code.delta|response.shell_call_command.delta"
            "|response.audio.transcript.delta]delta",
            "[type=response.output_item.added]item.name",
        ),
        ends=paths(
            "[type=response.completed|response.incomplete|response.failed|response.cancelled]"
        ),
        usage=paths("response.usage.output_tokens"),
        errors=paths("[type=response.failed]response.error.message", "[type=response.failed]"),
        deltas=Deltas(
            of=paths("item_id", "content_index"),
            alone=paths("logprobs[]"),
            number="sequence_number",
        ),
        error_form=_RESPONSES_ERROR,
    ),
    Provider(
        # The usage in `message_start` is a first guess of the server's: only that of
        # `message_delta`, which is cumulative, counts.
        name="anthropic",
        shape=paths(
            "[type=message_start|content_block_start|content_block_delta|content_block_stop"
            "|message_delta|message_stop]"
        ),
        text=paths(
            "[type=content_block_delta]delta.text", "[type=content_block_start]content_block.text"
        ),
        generated=paths(
            "[type=content_block_delta]delta.thinking",
            "[type=content_block_delta]delta.partial_json",
            "[type=content_block_start]content_block.thinking",
            "[type=content_block_start]content_block.name",
        ),
        ends=paths("[type=message_stop]"),
        usage=paths("[type=message_delta]usage.output_tokens"),
        deltas=Deltas(of=paths("index"), alone=paths("[type=content_block_start]")),
        error_form=_ANTHROPIC_ERROR,
    ),
    Provider(
        name="anthropic-completions",
        shape=paths("[type=completion]", "[completion][log_id]"),
        text=paths("completion"),
        ends=paths("[stop_reason]"),
        error_form=_ANTHROPIC_ERROR,
    ),
    Provider(
        # A prompt that was blocked is an answer without candidates, and the whole stream.
        name="gemini",
        shape=paths("[candidates]", "[promptFeedback]", "[usageMetadata]"),
        text=paths("candidates[].content.parts[!thought].text"),
        generated=paths(
            "candidates[].content.parts[thought=true].text",
            "candidates[].content.parts[].functionCall.name",
            "candidates[].content.parts[].executableCode.code",
        ),
        ends=paths("candidates[finishReason]", "promptFeedback.blockReason"),
        usage=paths("usageMetadata.candidatesTokenCount"),
        deltas=Deltas(
            of=paths("candidates[].index"),
            last=paths(
                "candidates[].finishReason",
                "candidates[].finishMessage",
                "candidates[].citationMetadata",
                "candidates[].groundingMetadata",
                "candidates[].content.parts[].thoughtSignature",
            ),
            alone=paths(
                "candidates[].content.parts[!text]", "candidates[].content.parts[thought=true]"
            ),
        ),
        error_form=(
            "message",
            '{"error":{"code":503,"message":$message,"status":"UNAVAILABLE"}}',
        ),
    ),
    Provider(
        # Tokens used before tokens billed, which leave some out.
        name="cohere-v2",
        shape=paths(
            "[type=message-start|content-start|content-delta|content-end|tool-plan-delta"
            "|tool-call-start|tool-call-delta|tool-call-end|citation-start|citation-end"
            "|message-end]"
        ),
        text=paths("delta.message.content.text"),
        generated=paths(
            "delta.message.content.thinking",
            "delta.message.tool_plan",
            "delta.message.tool_calls.function.name",
            "delta.message.tool_calls.function.arguments",
        ),
        ends=paths("[type=message-end]"),
        usage=paths(
            "[type=message-end]delta.usage.tokens.output_tokens",
            "[type=message-end]delta.usage.billed_units.output_tokens",
        ),
        errors=paths("delta[finish_reason=ERROR].error", "delta[finish_reason=ERROR]"),
        deltas=Deltas(of=paths("index"), alone=paths("[type=content-start]", "logprobs")),
        error_form=(
            "message-end",
            '{"type":"message-end","delta":{"finish_reason":"ERROR","error":$message}}',
        ),
    ),
    Provider(
        name="cohere-v1",
        shape=paths("[is_finished]"),
        text=paths("[event_type=text-generation]text", "[is_finished=false][!event_type]text"),
        generated=paths(
            "[event_type=tool-calls-chunk]text",
            "[event_type=tool-calls-chunk]tool_call_delta.name",
            "[event_type=tool-calls-chunk]tool_call_delta.parameters",
        ),
        ends=paths("[is_finished=true]"),
        usage=paths(
            "response.meta.tokens.output_tokens", "response.meta.billed_units.output_tokens"
        ),
        errors=paths("[finish_reason^=ERROR]"),
        error_form=(
            "message",
            '{"is_finished":true,"event_type":"stream-end","finish_reason":"ERROR","error":$message}',
        ),
    ),
    Provider(
        name="ollama",
        shape=paths("[model][done]"),
        text=paths("message.content", "response"),
        generated=paths("message.thinking", "thinking", "message.tool_calls[].function.name"),
        ends=paths("[done=true]"),
        usage=paths("[done=true]eval_count"),
        deltas=Deltas(
            alone=paths("[done=true]", "message.tool_calls[]", "message.images[]", "logprobs[]")
        ),
        error_form=("message", '{"error":$message}'),
    ),
    Provider(
        # The usage comes after the event that ends the message.
        name="bedrock-converse",
        shape=paths("[contentBlockIndex]", "[stopReason]", "usage[inputTokens][outputTokens]"),
        text=paths("[contentBlockIndex]delta.text"),
        generated=paths(
            "[contentBlockIndex]delta.reasoningContent.text",
            "[contentBlockIndex]delta.toolUse.input",
            "[contentBlockIndex]start.toolUse.name",
        ),
        ends=paths("[stopReason]"),
        usage=paths("usage.outputTokens"),
        deltas=Deltas(of=paths("contentBlockIndex")),
        error_form=_BEDROCK_ERROR,
    ),
    A2A,
    JSON_RPC,
)

BEDROCK_INVOKE = Provider(
    # What Titan, Llama, Mistral and Nova send. Claude, Cohere and others send in `bytes` what they
    # send elsewhere. Bedrock adds its metrics to the last event, whatever the model.
    name="bedrock-invoke",
    shape=(),
    inner=_SPOKEN,
    text=paths("outputText", "generation", "outputs[].text", "contentBlockDelta.delta.text"),
    generated=paths(
        "contentBlockDelta.delta.reasoningContent.text",
        "contentBlockDelta.delta.toolUse.input",
        "contentBlockStart.start.toolUse.name",
    ),
    ends=paths(
        "[amazon-bedrock-invocationMetrics]",
        "[completionReason]",
        "[stop_reason]",
        "outputs[stop_reason]",
        "messageStop",
    ),
    usage=paths(
        "amazon-bedrock-invocationMetrics.outputTokenCount",
        "totalOutputTextTokenCount",
        "generation_token_count",
        "metadata.usage.outputTokens",
    ),
    error_form=_BEDROCK_ERROR,
)

GENERIC = Provider(
    # A stream of a shape that nobody claims. Plain text is a token as it stands, so is a JSON
    # string; in an object, what the first of these keys holds.
    name="generic",
    shape=paths(""),
    text=paths("", "text", "content", "delta", "token", "token.text", "value"),
    ends=paths("[type=done|end|complete]", "[done=true]"),
    end_types=frozenset({"done", "end", "complete"}),
)

PROVIDERS = (BEDROCK_INVOKE, *_SPOKEN, GENERIC)
"""All providers, in the order in which a payload is tried; the last one takes every payload."""
