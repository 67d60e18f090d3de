"""Heads that are put together once; what comes of them is tested with the polls of engineio."""

import pytest

from cooee.http import Response
from cooee.http.template import Template, date_field

pytestmark = pytest.mark.once


def test_the_date_is_that_of_its_second() -> None:
    for _ in range(2):
        assert date_field(784111777) == b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        assert date_field(784111778) == b"Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n"


@pytest.mark.parametrize("name", ["Connection", "date"])
def test_no_field_of_a_single_response(name: str) -> None:
    with pytest.raises(ValueError, match="another for each response"):
        Template(Response(200, None, {name: "x"}))


@pytest.mark.parametrize("status", [204, 205, 304])
def test_no_status_without_content(status: int) -> None:
    with pytest.raises(ValueError, match=f"status {status}, which has no content"):
        Template(Response(status))
