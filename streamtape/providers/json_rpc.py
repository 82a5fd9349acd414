"""The table's rows for protocols that speak JSON-RPC 2.0: MCP and A2A, one agent to another."""

from __future__ import annotations

from streamtape.providers.paths import paths
from streamtape.providers.provider import Provider

_ERROR = (
    "message",
    '{"jsonrpc":"2.0","id":$id,"error":{"code":-32603,"message":$message}}',
)

_A2A_DONE = "completed|failed|canceled|rejected"
# Since 1.0 there is no `final` any more: the stream ends with a task that ended or waits for input.
_A2A_V1_DONE = (
    "TASK_STATE_COMPLETED|TASK_STATE_FAILED|TASK_STATE_CANCELED|TASK_STATE_REJECTED"
    "|TASK_STATE_INPUT_REQUIRED|TASK_STATE_AUTH_REQUIRED"
)

A2A = Provider(
    # A task is a snapshot that repeats what the updates said, so its text isn't counted.
    name="a2a",
    shape=paths(
        "[jsonrpc]result[kind=task|message|status-update|artifact-update]",
        "[jsonrpc]result[statusUpdate]",
        "[jsonrpc]result[artifactUpdate]",
        "[jsonrpc]result.message[parts]",
        "[jsonrpc]result.task[status]",
    ),
    text=paths(
        "result[kind=artifact-update].artifact.parts[].text",
        "result[kind=status-update].status.message.parts[].text",
        "result[kind=message].parts[].text",
        "result.artifactUpdate.artifact.parts[].text",
        "result.statusUpdate.status.message.parts[].text",
        "result.message.parts[].text",
    ),
    ends=paths(
        "result[final=true]",
        "result[kind=message]",
        f"result[kind=task].status[state={_A2A_DONE}]",
        "result.message[parts]",
        f"result.statusUpdate.status[state={_A2A_V1_DONE}]",
        f"result.task.status[state={_A2A_V1_DONE}]",
    ),
    error_form=_ERROR,
)

JSON_RPC = Provider(
    # MCP and other JSON-RPC 2.0: notifications and requests may come before the response,
    # which ends the stream. A tool that failed (`isError`) is a result, no error of the stream.
    name="json-rpc",
    shape=paths("[jsonrpc]"),
    text=paths("[jsonrpc]result.content[type=text].text"),
    ends=paths("[jsonrpc][result]", "[jsonrpc][error]"),
    error_form=_ERROR,
)
