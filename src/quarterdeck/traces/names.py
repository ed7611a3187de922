"""Names of attributes in exported spans: OpenTelemetry's GenAI conventions where they have one, else `quarterdeck.*`.

The conventions are still being developed, in a repository of their own: what changes there is changed here.
"""

OPERATION = "gen_ai.operation.name"
INVOKE_AGENT = "invoke_agent"
CHAT = "chat"
EXECUTE_TOOL = "execute_tool"

PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_ID = "gen_ai.response.id"
FINISH_REASONS = "gen_ai.response.finish_reasons"

INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CACHE_CREATION_TOKENS = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"

AGENT_ID = "gen_ai.agent.id"
AGENT_NAME = "gen_ai.agent.name"
AGENT_VERSION = "gen_ai.agent.version"
CONVERSATION = "gen_ai.conversation.id"

TOOL_NAME = "gen_ai.tool.name"
TOOL_TYPE = "gen_ai.tool.type"
TOOL_CALL = "gen_ai.tool.call.id"

# Content: only where the deployment opted in.
INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
TOOL_ARGUMENTS = "gen_ai.tool.call.arguments"
TOOL_RESULT = "gen_ai.tool.call.result"

ERROR_TYPE = "error.type"
PSEUDONYM = "enduser.pseudo.id"
SERVICE = "service.name"
SERVICE_VERSION = "service.version"

TENANT = "quarterdeck.tenant"
RUN = "quarterdeck.run"
RELEASE = "quarterdeck.release"
STATUS = "quarterdeck.status"
REASON = "quarterdeck.reason"
ATTEMPT = "quarterdeck.attempt"
STEP = "quarterdeck.step"
SEQ = "quarterdeck.seq"
COST = "quarterdeck.cost_usd"
VERDICT = "quarterdeck.verdict"
RULE = "quarterdeck.rule"
EFFECT = "quarterdeck.effect"
REPEAT = "quarterdeck.repeat"
RISK = "quarterdeck.risk"
TRIES = "quarterdeck.tries"
FIRST_TOKEN = "quarterdeck.first_token_ms"  # noqa: S105  # no secret: when the first one came
KIND = "quarterdeck.kind"
TAG = "quarterdeck.tag."
