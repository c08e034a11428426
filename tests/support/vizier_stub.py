"""A stub of VizieR over HTTPS on loopback, its certificate, and tables as VizieR writes them."""

import datetime
import ipaddress
import ssl
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from loopback import serving

ARRAY_SIZES = {"char": 'arraysize="*"'}


def votable(name, tables):
    """A document as VizieR writes it."""
    content = "".join(
        f'<TABLE name="{name}/{number}">{table_content(columns)}</TABLE>'
        for number, columns in enumerate(tables)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<VOTABLE version="1.4" '
        'xmlns="http://www.ivoa.net/xml/VOTable/v1.3">\n<INFO name="-out.max" value="unlimited"/>'
        f'<RESOURCE name="{name}">{content}</RESOURCE>\n</VOTABLE>\n'
    ).encode()


def table_content(columns):
    fields = "".join(
        f'<FIELD name="{name}" datatype="{kind}" {ARRAY_SIZES.get(kind, "")} '
        + "".join(f'unit="{stated}"' for stated in unit)
        + "/>"
        for name, kind, _, *unit in columns
    )
    rows = zip(*(column[2] for column in columns), strict=True)
    data = "".join("<TR>" + "".join(f"<TD>{cell}</TD>" for cell in row) + "</TR>\n" for row in rows)
    return f"{fields}<DATA><TABLEDATA>\n{data}</TABLEDATA></DATA>"


class VizierStub:
    """Its tables by their identifiers, what the next answer is, and what was asked."""

    def __init__(self, tables):
        self.tables = dict(tables)
        self.status, self.body, self.cut = 200, None, 0
        self.queries = []

    def answer(self, query):
        self.queries.append(query)
        options = dict(line.partition("=")[::2] for line in query.splitlines())
        body = self.body
        if body is None:
            body = votable(options["-source"], self.tables.get(options["-source"], []))
        return self.status, body


def write_certificate(path):
    """Self-signed certificate for 127.0.0.1: astroquery speaks nothing but HTTPS with VizieR."""
    x509 = pytest.importorskip("cryptography.x509", reason="the stub needs a certificate")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))


@contextmanager
def served(stub, certificate):
    """Serve a stub; its address is ``stub.server``."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            assert self.path == "/viz-bin/votable"
            status, body = stub.answer(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) - stub.cut])
            self.close_connection = True

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    stub.server = f"127.0.0.1:{server.server_port}"
    with serving(server):
        yield stub
