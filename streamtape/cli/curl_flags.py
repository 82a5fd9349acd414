"""Those of curl's options that `streamtape record` knows by name only.

A command line that was pasted with one of them is told so: dropping it could change what is sent,
and an unknown option would take the URL for its value. All of curl 8.14's manual are here, but for
what `curl.add_arguments` gives a meaning.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

NO_OPS = (
    # What is printed is record's own affair, and the events are always shown as they come.
    *("-S", "--show-error", "-N", "--no-buffer", "-v", "--verbose", "-i", "--include"),
    *("-#", "--progress-bar", "--no-progress-meter"),
    # What record does or leaves anyway.
    *("-q", "--disable", "-g", "--globoff", "--http1.1", "--basic", "--tcp-nodelay"),
)
"""Options without a value that change nothing here."""

_SHORT = "012346aBcCDEFIjJKlMnOpPQrRtTUwWyYzZ:"

_LONG = """
abstract-unix-socket alt-svc anyauth aws-sigv4 ca-native cacert capath cert cert-status
cert-type ciphers compressed-ssh config connect-to continue-at cookie-jar create-dirs
create-file-mode crlf crlfile curves delegation digest disable-eprt disable-epsv
disallow-username-in-url dns-interface dns-ipv4-addr dns-ipv6-addr dns-servers doh-cert-status
doh-insecure doh-url dump-ca-embed dump-header ech egd-file engine etag-compare etag-save
expect100-timeout fail-early false-start form form-escape form-string ftp-account
ftp-alternative-to-user ftp-create-dirs ftp-method ftp-pasv ftp-port ftp-pret ftp-skip-pasv-ip
ftp-ssl-ccc ftp-ssl-ccc-mode ftp-ssl-control happy-eyeballs-timeout-ms haproxy-clientip
haproxy-protocol head hostpubmd5 hostpubsha256 hsts http0.9 http1.0 http2 http2-prior-knowledge
http3 http3-only ignore-content-length interface ip-tos ipfs-gateway ipv4 ipv6
junk-session-cookies keepalive-cnt keepalive-time key key-type krb libcurl limit-rate list-only
local-port location-trusted login-options mail-auth mail-from mail-rcpt mail-rcpt-allowfails manual
max-filesize max-redirs metalink mptcp negotiate netrc netrc-file netrc-optional next no-alpn
no-clobber no-keepalive no-npn no-sessionid noproxy ntlm ntlm-wb oauth2-bearer output-dir parallel
parallel-immediate parallel-max pass path-as-is pinnedpubkey post301 post302 post303 preproxy proto
proto-default proto-redir proxy-anyauth proxy-basic proxy-ca-native proxy-cacert proxy-capath
proxy-cert proxy-cert-type proxy-ciphers proxy-crlfile proxy-digest proxy-header proxy-http2
proxy-insecure proxy-key proxy-key-type proxy-negotiate proxy-ntlm proxy-pass proxy-pinnedpubkey
proxy-service-name proxy-ssl-allow-beast proxy-ssl-auto-client-cert proxy-tls13-ciphers
proxy-tlsauthtype proxy-tlspassword proxy-tlsuser proxy-tlsv1 proxy-user proxy1.0 proxytunnel pubkey
quote random-file range rate raw remote-header-name remote-name remote-name-all remote-time
remove-on-error request-target resolve retry retry-all-errors retry-connrefused retry-delay
retry-max-time sasl-authzid sasl-ir service-name sessionid sigalgs skip-existing socks4 socks4a
socks5 socks5-basic socks5-gssapi socks5-gssapi-nec socks5-gssapi-service socks5-hostname
speed-limit speed-time ssl ssl-allow-beast ssl-auto-client-cert ssl-no-revoke ssl-reqd
ssl-revoke-best-effort ssl-sessions sslv2 sslv3 stderr styled-output suppress-connect-headers
tcp-fastopen telnet-option tftp-blksize tftp-no-options time-cond tls-earlydata tls-max
tls13-ciphers tlsauthtype tlspassword tlsuser tlsv1 tlsv1.0 tlsv1.1 tlsv1.2 tlsv1.3 tr-encoding
trace trace-ascii trace-config trace-ids trace-time unix-socket upload-file upload-flags url-query
use-ascii variable vlan-priority write-out xattr
"""


class _Refused(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        _namespace: argparse.Namespace,
        _values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> NoReturn:
        parser.error(f"{option_string} is curl's, and record doesn't have it")


def add_others(parser: argparse.ArgumentParser) -> None:
    """Make *parser* say of each of these options that it doesn't have it, in its own usage."""
    parser.add_argument(
        *(f"-{letter}" for letter in _SHORT),
        *(f"--{name}" for name in _LONG.split()),
        action=_Refused,
        dest=argparse.SUPPRESS,
        nargs="?",  # not to ask for a value before saying that there is no use for it
        help=argparse.SUPPRESS,
    )
