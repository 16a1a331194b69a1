"""Log-ins: the vectors of the standards, stale nonces, the lock."""

import base64

import pytest

from simulator.auth import Guard, Verdict, digest_response
from simulator.spec import Scheme


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_vectors_of_rfc_7616(algorithm: str, response: str) -> None:
    nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
    extra = "00000001:f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ:auth"
    found = digest_response(
        algorithm, "Mufasa", "http-auth@example.org", "Circle of Life", "GET", "/dir/index.html", nonce, extra
    )
    assert found == response


def test_vector_without_qop() -> None:
    nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
    found = digest_response("MD5", "Mufasa", "testrealm@host.com", "CircleOfLife", "GET", "/dir/index.html", nonce)
    assert found == "1949323746fe6a43ef61f9606e7febea"


def guard(clock: Clock, *schemes: Scheme, qop: bool = True) -> Guard:
    return Guard("admin", "pä:ss₫ \"'@/%", schemes, clock, qop=qop, nonce_seconds=60, lock_after=3, lock_seconds=300)


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()


def digest(judge: Guard, challenge: str, password: str) -> str:
    nonce = challenge.partition('nonce="')[2].partition('"')[0]
    algorithm = "SHA-256" if "SHA-256" in challenge else "MD5"
    extra = "00000001:xyz:auth" if judge.qop else ""
    response = digest_response(algorithm, "admin", judge.realm, password, "PLAY", "rtsp://h/main", nonce, extra)
    tail = ', qop=auth, nc=00000001, cnonce="xyz"' if judge.qop else ""
    return (
        f'Digest username="admin", realm="{judge.realm}", nonce="{nonce}", uri="rtsp://h/main", '
        f'algorithm={algorithm}, response="{response}"{tail}'
    )


@pytest.mark.parametrize("qop", [True, False])
@pytest.mark.parametrize("scheme", ["md5", "sha-256"])
def test_digest(scheme: Scheme, qop: bool) -> None:
    judge = guard(Clock(), scheme, qop=qop)
    assert judge.judge("PLAY", "rtsp://h/main", None) is Verdict.NONE
    (challenge,) = judge.challenges()
    assert ("qop" in challenge) == qop
    assert judge.judge("PLAY", "rtsp://h/main", digest(judge, challenge, judge.password)) is Verdict.GOOD
    assert judge.judge("PLAY", "rtsp://h/main", digest(judge, challenge, "wrong")) is Verdict.WRONG
    other = digest(judge, challenge, judge.password)
    assert judge.judge("PLAY", "rtsp://h/other", other) is Verdict.WRONG
    assert judge.judge("SETUP", "rtsp://h/main", other) is Verdict.WRONG


def test_basic_only_where_offered() -> None:
    judge = guard(Clock(), "basic")
    assert judge.judge("PLAY", "u", basic(judge.password)) is Verdict.GOOD
    assert judge.judge("PLAY", "u", basic("wrong")) is Verdict.WRONG
    assert judge.judge("PLAY", "u", "Basic ***") is Verdict.WRONG
    assert guard(Clock(), "md5").judge("PLAY", "u", basic(judge.password)) is Verdict.WRONG


def test_old_nonce_is_stale_and_not_wrong() -> None:
    clock = Clock()
    judge = guard(clock, "md5")
    (challenge,) = judge.challenges()
    header = digest(judge, challenge, judge.password)
    clock.now += 61
    assert judge.judge("PLAY", "rtsp://h/main", header) is Verdict.STALE
    assert judge.failures == 0
    (challenge,) = judge.challenges(stale=True)
    assert "stale=true" in challenge
    assert judge.judge("PLAY", "rtsp://h/main", digest(judge, challenge, judge.password)) is Verdict.GOOD


def test_lock_after_wrong_tries() -> None:
    clock = Clock()
    judge = guard(clock, "basic")
    assert judge.judge("PLAY", "u", basic("a")) is Verdict.WRONG
    assert judge.judge("PLAY", "u", basic(judge.password)) is Verdict.GOOD
    for _ in range(3):
        assert judge.judge("PLAY", "u", basic("a")) is Verdict.WRONG
    assert judge.locked
    assert judge.judge("PLAY", "u", basic(judge.password)) is Verdict.LOCKED
    clock.now += 300
    assert judge.judge("PLAY", "u", basic(judge.password)) is Verdict.GOOD
