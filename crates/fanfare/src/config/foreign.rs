//! Options of other libraries that have no counterpart here: accepted where leaving them out changes
//! nothing that matters, refused with a sentence where it would.

use fanfare_client::{Error, ErrorKind};

use super::setting::Setting;

const AGAIN: &str = "a command that failed so may have taken effect, and is never sent again by \
    itself: look at `Error::is_retryable` and `may_have_been_delivered` and decide for each command";

const POOL: &str = "connections are the library's own: `pool_size` says how many carry commands, \
    `max_connections` how many may be dedicated to one caller";

/// Every name that is known here.
pub(super) const NAMES: &[&str] = &[
    "connection_class",
    "connection_pool",
    "decode_responses",
    "encoding",
    "encoding_errors",
    "retry",
    "retry_on_error",
    "retry_on_timeout",
    "socket_keepalive_options",
    "ssl_cert_reqs",
    "ssl_check_hostname",
];

/// What to do about an option of another library; `None`: it is none that is known.
pub(super) fn judge(name: &str, value: &Setting) -> Option<Result<(), Error>> {
    let is = |words: &[&str]| words.iter().any(|word| value.reads_as(word));
    let is_off = value.is_empty() || is(&["false", "0"]);
    let objection = match name {
        // Payloads are bytes, and each `text()` or conversion says what it wants.
        "decode_responses" | "encoding_errors" => None,
        "encoding" if is(&["utf-8", "utf8"]) => None,
        "encoding" => Some("text is UTF-8; read other encodings from the bytes"),
        "retry" | "retry_on_error" | "retry_on_timeout" => (!is_off).then_some(AGAIN),
        "connection_class" | "connection_pool" => (!is_off).then_some(POOL),
        "socket_keepalive_options" => {
            (!is_off).then_some("write `tcp_keepalive` with the seconds of idleness")
        }
        // For a client Python's CERT_OPTIONAL is CERT_REQUIRED.
        "ssl_cert_reqs" if is(&["required", "optional"]) => None,
        "ssl_cert_reqs" => Some(
            "the server's certificate is always checked; write \
             `dangerous_accept_any_certificate = true` if it really is not to be",
        ),
        "ssl_check_hostname" if is(&["true", "1"]) => None,
        "ssl_check_hostname" => {
            Some("the certificate's name is always checked; write it as `tls_server_name`")
        }
        _ => return None,
    };
    Some(match objection {
        Some(objection) if !matches!(value, Setting::Nothing) => {
            Err(Error::new(ErrorKind::InvalidOption, format!("{name}: {objection}")))
        }
        _ => Ok(()),
    })
}
