"""The stdio MCP server that both sides of the engine bench call: one tool that answers at once."""

import anyio
import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server

STEP = types.Tool(
    name="step",
    description="Do one step of the job.",
    input_schema={
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    },
)
ANSWER = "The step is done and everything looks as it should; go on with the next one. " * 3


async def listed(_context: ServerRequestContext, _params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    return types.ListToolsResult(tools=[STEP])


async def called(_context: ServerRequestContext, params: types.CallToolRequestParams) -> types.CallToolResult:
    number = (params.arguments or {}).get("n")
    return types.CallToolResult(content=[types.TextContent(type="text", text=f"{number}: {ANSWER}")])


async def main() -> None:
    server = Server("bench", on_list_tools=listed, on_call_tool=called)
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(main)
