"""All settings of the product: the shared ones and each service's own section."""

from pydantic import ValidationError
from pydantic_settings import SettingsError

from services.api.settings import ApiSettings
from services.escalation.settings import EscalationSettings
from services.ingest.settings import IngestSettings
from services.notify.settings import NotifySettings
from services.triage.settings import TriageSettings
from shared.domain.errors import Refused
from shared.runtime.settings import Settings, told


class OmbudSettings(Settings):
    """What `ombud config` shows and `.env.example` is made from."""

    ingest: IngestSettings = IngestSettings()
    triage: TriageSettings = TriageSettings()
    escalation: EscalationSettings = EscalationSettings()
    notify: NotifySettings = NotifySettings()
    api: ApiSettings = ApiSettings()


def read_settings(**fixed: object) -> OmbudSettings:
    """The settings of this process; `fixed` wins over the environment. Raises `Refused` with every fault."""
    try:
        return OmbudSettings(**fixed)  # type: ignore[arg-type]  # pydantic checks what the caller fixed
    except ValidationError as fault:
        raise told(fault) from fault
    except SettingsError as fault:
        raise Refused(
            f"the settings are wrong: {fault}; a whole group in one variable is JSON, "
            "or each member has a variable, after two underscores"
        ) from fault
