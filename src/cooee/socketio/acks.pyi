from typing import Any

from cooee.websocket.outcome import Outcome

class AckTable: ...

def settle_outcome(outcome: Outcome[Any], error: Exception | None, value: Any) -> None: ...
