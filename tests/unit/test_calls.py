"""Which requests the filter handles."""

import pytest

from nova_ext_sts.calls import Call, call_of

ENDPOINTS = ("", "/v2.1", "/v2", "/v1.1", "/v2.1/6f70656e", "/6f70656e")
ENDS = ("", "/", ".json", ".xml", ".json/")


def called(path, method="GET"):
    return call_of(
        {"REQUEST_METHOD": method, "PATH_INFO": path, "SCRIPT_NAME": "/x/v2.1"}
    )


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    ("path", "call"),
    [
        ("/servers", Call.LIST),
        ("/servers/detail", Call.DETAIL),
        ("/servers/6f70656e-7374-6163-6b00-000000000001", Call.SHOW),
        ("/servers/details", Call.SHOW),
        ("/servers/servers", Call.SHOW),
        ("/servers/a b.c", Call.SHOW),
        ("/extensions", Call.EXTENSIONS),
        ("/extensions/OS-EXT-STS", Call.EXTENSION),
    ],
)
def test_call_is_found_below_every_endpoint(endpoint, path, end, call):
    assert called(endpoint + path + end) is call


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/v2.1",
        "/servers.txt",
        "/serversx",
        "/servers/abc/ips",
        "/servers/detail/x",
        "/os-hypervisors/servers",
        "//os-hypervisors//host//servers",
        "/v2.1/6f70656e/os-hypervisors/host/servers",
        "/v3/6f70656e/servers",
        "/extensions/OS-DCF",
        "/extensions/os-ext-sts",
        "/extensions/OS-EXT-STS/x",
        "servers",
    ],
)
def test_other_paths_are_not_handled(path):
    assert called(path) is None
    assert call_of({"REQUEST_METHOD": "GET"}) is None


@pytest.mark.parametrize(
    ("path", "folded"),
    [
        ("///v2.1//6f70656e//servers", "/v2.1/6f70656e/servers"),
        ("/servers//a", "/servers/a"),
        ("/servers//", "/servers/"),
        ("/v2.1/extensions//OS-EXT-STS", "/v2.1/extensions/OS-EXT-STS"),
        ("/servers//a//ips", "/servers/a/ips"),
    ],
)
def test_repeated_slashes_count_as_one(path, folded):
    assert called(path) is called(folded)


@pytest.mark.parametrize(
    ("method", "call"),
    [("HEAD", Call.LIST), ("POST", None), ("PUT", None), ("get", None)],
)
def test_only_get_and_head_are_handled(method, call):
    assert called("/servers", method) is call
