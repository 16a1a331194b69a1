"""Which port: one plain request each, without login, and one clear reason if none of them is a camera."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
import socket
import ssl

import pytest

from custom_components.facility_cameras.onvif_camera import OnvifCause, OnvifError, read_device, transport
from tests.onvif_cameras import StartCamera

type Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
type StartServer = Callable[..., Awaitable[int]]


@pytest.fixture
async def start_server() -> AsyncIterator[StartServer]:
    """start_server(talk): whatever it is, on a free port."""
    servers: list[asyncio.Server] = []
    tasks: set[asyncio.Task[None]] = set()

    async def start(talk: Talk, tls: ssl.SSLContext | None = None) -> int:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                await talk(reader, writer)
            except ConnectionError, asyncio.CancelledError:
                pass
            finally:
                writer.transport.abort()

        servers.append(await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls))
        return int(servers[-1].sockets[0].getsockname()[1])

    yield start
    for server in servers:
        server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def cause_of(address: str, ports: tuple[int, ...] = (), password: str = "x") -> OnvifError:
    with pytest.raises(OnvifError) as caught:
        await read_device(address, "admin", password, usual_ports=ports)
    return caught.value


async def test_o5_the_first_port_of_the_list_that_speaks_onvif(
    start_camera: StartCamera, start_server: StartServer
) -> None:
    async def page(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    router, shut = await start_server(page), free_port()
    first, second = await start_camera(), await start_camera()
    password = first.camera.password
    device = await read_device(
        "127.0.0.1", "admin", password, usual_ports=(shut, router, first.service.port, second.service.port)
    )
    assert device.port == first.service.port
    assert all(login == "" for _, login in second.service.asked)


async def test_o5_nothing_is_open() -> None:
    one, two = free_port(), free_port()
    error = await cause_of("127.0.0.1", (one, two))
    assert (error.cause, error.placeholders["port"]) == (OnvifCause.CONNECTION_REFUSED, f"{one}, {two}")


async def test_a_name_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = await cause_of("no-such-camera.invalid", (80,))
    assert error.cause is OnvifCause.NAME_NOT_FOUND
    assert error.placeholders["host"] == "no-such-camera.invalid"


async def test_a_camera_that_accepts_and_says_nothing(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "REQUEST_S", 0.2)

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    assert (await cause_of(f"127.0.0.1:{await start_server(silent)}")).cause is OnvifCause.NO_ANSWER


async def test_a_camera_that_answers_one_byte_at_a_time(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "REQUEST_S", 0.2)

    async def slow(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    assert (await cause_of(f"127.0.0.1:{await start_server(slow)}")).cause is OnvifCause.NO_ANSWER


async def test_an_answer_without_end(start_server: StartServer) -> None:
    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n<Envelope>")
        while True:
            writer.write(b"<a>" * 10_000)
            await writer.drain()

    error = await cause_of(f"127.0.0.1:{await start_server(endless)}")
    assert (error.cause, error.placeholders["reason"]) == (OnvifCause.BAD_ANSWER, "answer too long")


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (b"", OnvifCause.CONNECTION_LOST),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<En", OnvifCause.CONNECTION_LOST),
        (b"RTSP/1.0 400 Bad Request\r\n\r\n", OnvifCause.NOT_ONVIF),
        (b"SSH-2.0-OpenSSH_9.2\r\n", OnvifCause.NOT_ONVIF),
        (b"HTTP/1.1 301 Moved\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n", OnvifCause.NOT_ONVIF),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", OnvifCause.NOT_ONVIF),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", OnvifCause.NOT_ONVIF),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00",
            OnvifCause.NOT_ONVIF,
        ),
    ],
)
async def test_something_else_answers(start_server: StartServer, said: bytes, cause: OnvifCause) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()

    assert (await cause_of(f"127.0.0.1:{await start_server(say)}")).cause is cause


async def test_any_web_server_with_a_login_gets_no_password_in_the_clear(start_server: StartServer) -> None:
    heard = bytearray()

    async def basic(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n')
        await writer.drain()

    error = await cause_of(f"127.0.0.1:{await start_server(basic)}")
    assert error.cause is OnvifCause.PASSWORD_WRONG
    assert b"Authorization" not in heard


async def test_a_camera_behind_tls_with_a_certificate_of_its_own(
    start_camera: StartCamera, start_server: StartServer, own_certificate: ssl.SSLContext
) -> None:
    started = await start_camera("O9-digest")

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, to_inner = await asyncio.open_connection("127.0.0.1", started.service.port)

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            while data := await source.read(65_536):
                target.write(data)
                await target.drain()

        there = asyncio.create_task(copy(reader, to_inner))
        await copy(inner, writer)
        there.cancel()
        to_inner.close()

    port = await start_server(forward, own_certificate)
    device = await read_device(f"https://127.0.0.1:{port}/onvif/device_service", "admin", started.camera.password)
    assert device.port == port
    assert device.snapshot_url.startswith(f"https://127.0.0.1:{port}/")


@pytest.fixture
def own_certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """What a camera makes for itself on its first start."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "camera")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "camera.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


async def test_many_redirected_or_refused_ports_end_in_one_reason(start_camera: StartCamera) -> None:
    page = await start_camera("O11-html")
    error = await cause_of("127.0.0.1", (free_port(), page.service.port, free_port()))
    assert (error.cause, error.placeholders["port"]) == (OnvifCause.NOT_ONVIF, str(page.service.port))
