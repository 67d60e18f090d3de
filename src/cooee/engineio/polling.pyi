from cooee.engineio.answers import Answers

class Polling:
    def __init__(
        self, answers: Answers, sid: str, protocol: int, supports_binary: bool, jsonp: bool
    ) -> None: ...
