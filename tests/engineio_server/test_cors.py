"""Cross-origin resource sharing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from tests.engineio_server.serving import Serving

from cooee.engineio import Cors, Server
from cooee.http import Request
from cooee.protocol.headers import Headers

PAGE = "https://example.com"


def request(origin: str | None = PAGE, **headers: str) -> Request:
    """A request of a page."""
    fields = {"Host": "localhost", **headers}
    if origin is not None:
        fields["Origin"] = origin
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return Request(f"GET / HTTP/1.1\r\n{head}\r\n".encode())


def answered(cors: Cors, origin: str | None = PAGE) -> dict[str, str]:
    """The headers of an answer."""
    headers = Headers()
    cors.apply(headers, request(origin))
    return dict(headers.items())


@pytest.mark.once
class TestPolicy:
    """Which origins are let in."""

    def test_all(self) -> None:
        assert answered(Cors()) == {"Access-Control-Allow-Origin": "*"}
        assert answered(Cors(), None) == {"Access-Control-Allow-Origin": "*"}

    def test_all_by_name(self) -> None:
        expected = {"Access-Control-Allow-Origin": PAGE, "Vary": "Origin"}
        assert answered(Cors(origin=True)) == expected

    def test_all_with_credentials(self) -> None:
        assert answered(Cors(credentials=True)) == {
            "Access-Control-Allow-Origin": PAGE,
            "Vary": "Origin",
            "Access-Control-Allow-Credentials": "true",
        }

    def test_one(self) -> None:
        expected = {"Access-Control-Allow-Origin": PAGE, "Vary": "Origin"}
        assert answered(Cors(origin=PAGE)) == expected
        assert answered(Cors(origin=PAGE), "https://evil.example") == expected

    @pytest.mark.parametrize(
        "allowed",
        [
            [PAGE, "https://other.example"],
            re.compile(r"^https://example\.(com|org)$"),
            ["https://other.example", re.compile("com$")],
            lambda origin: origin == PAGE,
        ],
    )
    def test_some(self, allowed: Mapping[str, str]) -> None:
        cors = Cors(origin=allowed)
        assert answered(cors)["Access-Control-Allow-Origin"] == PAGE
        assert answered(cors, "https://evil.example") == {"Vary": "Origin"}
        assert answered(cors, None) == {"Vary": "Origin"}

    @pytest.mark.parametrize("cors", [{"origin": "*"}, 1])
    def test_wrong_types(self, cors: Any) -> None:
        with pytest.raises(TypeError, match="must be of the types of AllowedOrigins"):
            Server(cors=cors)

    def test_exposed_headers(self) -> None:
        cors = Cors(exposed_headers=["X-A", "X-B"])
        assert answered(cors)["Access-Control-Expose-Headers"] == "X-A,X-B"


@pytest.mark.parametrize("driver", ["asyncio"], indirect=True)
class TestServer:
    """What the server answers."""

    def test_preflight(self, serving: Callable[..., Serving]) -> None:
        server = serving(
            cors=Cors(origin=[PAGE], methods=["GET", "POST"], credentials=True, max_age=60)
        )
        answer = server.request(
            "EIO=4&transport=polling",
            {"Origin": PAGE, "Access-Control-Request-Headers": "x-token"},
            method="OPTIONS",
        )
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert answer.headers["access-control-allow-methods"] == "GET,POST"
        assert answer.headers["access-control-allow-headers"] == "x-token"
        assert answer.headers["access-control-max-age"] == "60"
        assert answer.headers["vary"] == "Origin, Access-Control-Request-Headers"

    def test_named_headers(self, serving: Callable[..., Serving]) -> None:
        server = serving(cors=Cors(allowed_headers=["x-a", "x-b"]))
        answer = server.request("", {"Origin": PAGE}, method="OPTIONS")
        assert answer.headers["access-control-allow-headers"] == "x-a,x-b"
        assert answer.headers["access-control-allow-methods"] == "GET,HEAD,PUT,PATCH,POST,DELETE"
        assert "vary" not in answer.headers

    def test_answers(self, serving: Callable[..., Serving]) -> None:
        server = serving(cors=Cors(origin=[PAGE]))
        headers = {"Origin": PAGE}
        sid = server.handshake("EIO=4", headers)
        query = f"EIO=4&transport=polling&sid={sid}"
        answers = [
            server.request(query, headers, method="POST", body=b"4x"),
            server.request(query, headers),
            server.request("EIO=4&transport=abc", headers),
            server.request(query, headers, method="PUT"),
        ]
        assert [answer.status for answer in answers] == [200, 200, 400, 400]
        for answer in answers:
            assert answer.headers["access-control-allow-origin"] == PAGE

    def test_origin_alone(self, serving: Callable[..., Serving]) -> None:
        server = serving(cors="*")
        answer = server.request("EIO=4&transport=polling", {"Origin": PAGE})
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "*")

    def test_none(self, server: Serving) -> None:
        answer = server.request("EIO=4&transport=polling", {"Origin": PAGE})
        assert "access-control-allow-origin" not in answer.headers
