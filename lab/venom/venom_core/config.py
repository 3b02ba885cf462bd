"""Settings: the process environment, below it the file that ENV_FILE names."""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit

from pydantic_settings import BaseSettings, SettingsConfigDict

# A relative name is the working directory's here and the code's in the panel, as in the real one.
ENV_FILE = (os.getenv("ENV_FILE") or ".env.dev").strip()


class Settings(BaseSettings):
    """What the backend reads. Names it does not know are left alone."""

    model_config = SettingsConfigDict(env_file=ENV_FILE, extra="ignore")

    ENV: str = "development"
    URL_SCHEME_POLICY: str = "auto"
    VENOM_RUNTIME_PROFILE: str = "light"
    AI_MODE: str = "LOCAL"
    ACTIVE_LLM_SERVER: str = "ollama"
    LLM_SERVICE_TYPE: str = "local"
    LLM_LOCAL_ENDPOINT: str = "http://localhost:11434/v1"
    LLM_MODEL_NAME: str = "gemma3:4b"
    HYBRID_LOCAL_MODEL: str = ""
    LAST_MODEL_OLLAMA: str = ""
    PREVIOUS_MODEL_OLLAMA: str = ""
    LLM_CONFIG_HASH: str = ""
    LLM_WARMUP_ON_STARTUP: bool = False
    OLLAMA_START_COMMAND: str = "systemctl start ollama"
    OLLAMA_STOP_COMMAND: str = "systemctl stop ollama"
    OLLAMA_RETRY_MAX_ATTEMPTS: int = 2
    OLLAMA_RETRY_BACKOFF_SECONDS: float = 0.35
    ONNX_LLM_ENABLED: bool = False
    ONNX_LLM_MODEL_PATH: str = ""
    ONNX_LLM_EXECUTION_PROVIDER: str = "cuda"
    ONNX_LLM_MAX_NEW_TOKENS: int = 512
    OPENAI_API_KEY: str = ""
    ANTHROPIC_API_KEY: str = ""
    GOOGLE_API_KEY: str = ""
    GEMINI_API_KEY: str = ""
    MEMORY_ROOT: str = "./data/memory"
    WORKSPACE_ROOT: str = "./workspace"

    @property
    def endpoint(self) -> str:
        """The model server's address, its scheme as the policy has it.

        In production `auto` means https for host names: the real one's trap for a plain local server.
        """
        parts = urlsplit(self.LLM_LOCAL_ENDPOINT)
        policy = self.URL_SCHEME_POLICY.lower()
        production = self.ENV.lower() in ("production", "prod", "staging", "stage")
        secure = policy == "force_https" or (policy == "auto" and production)
        scheme = "https" if secure and not _is_address(parts.hostname or "") else parts.scheme
        return parts._replace(scheme=scheme).geturl().rstrip("/")

    @property
    def has_cloud_key(self) -> bool:
        """Whether a cloud provider could be asked."""
        keys = (self.OPENAI_API_KEY, self.ANTHROPIC_API_KEY, self.GOOGLE_API_KEY, self.GEMINI_API_KEY)
        return any(key.strip() for key in keys)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


SETTINGS = Settings()
