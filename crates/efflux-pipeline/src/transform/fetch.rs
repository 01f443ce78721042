//! The answer to a GET of an address that the message gives.

mod addresses;
mod allowed;
mod exchange;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderName, HeaderValue, StatusCode, Uri};
use serde::Deserialize;
use tokio_rustls::TlsConnector;

use crate::emit::Emit;
use crate::parcel::Parcel;
use crate::quantity::{ByteSize, Period};
use crate::secret::Secret;
use crate::setting_fault::SettingFault;
use crate::stage_error::StageError;
use crate::template::Template;
use crate::transform::AsyncTransform;
use crate::transform::limits::{FETCH_BYTES_DEFAULT_MAX, FETCH_TIME_DEFAULT_MAX};
use addresses::{Resolve, System, pinned};
use allowed::Allowed;
use exchange::{Answer, Target};

/// What is fetched, and from where it may be.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct FetchSettings {
    /// The address, which each message fills in.
    pub url: Template,
    /// What may be asked: hosts (`api.example.com`, `*.example.com` for all beneath it), or
    /// beginnings of addresses (`https://api.example.com/v1/`). Anything else is refused.
    #[cfg_attr(feature = "file", schemars(length(min = 1)))]
    pub allow: Vec<String>,
    /// Whether hosts within private networks and on this machine may be asked: loopback, private,
    /// link-local and reserved addresses.
    #[serde(default)]
    pub allow_private: bool,
    /// Fields of the request's head, such as `authorization`.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Certificates of authorities that are believed beside those of the system, in PEM.
    #[serde(default)]
    pub authorities: Option<String>,
    /// Bytes that an answer may have.
    #[serde(default = "bytes_max")]
    pub bytes_max: ByteSize,
    /// How long it may take, from the look-up of the name to the last byte.
    #[serde(default = "time_max")]
    pub time_max: Period,
}

const fn bytes_max() -> ByteSize {
    ByteSize(FETCH_BYTES_DEFAULT_MAX)
}

const fn time_max() -> Period {
    Period(FETCH_TIME_DEFAULT_MAX)
}

/// Makes a message with what an address answers to a GET, and with its media type.
///
/// - Only what is allowed is asked. The name is looked up once, each of its addresses has to be a
///   public one, and the connection goes to an address that was looked at: who answers for the name
///   cannot send the request elsewhere.
/// - Redirects are not followed.
/// - 2xx is the answer. 408, 429 and 5xx are `Unavailable`, for as long as `Retry-After` says; all
///   others are `Rejected`. So is an answer that is too large; no answer in time is `Unavailable`.
pub struct Fetch {
    settings: FetchSettings,
    allowed: Allowed,
    headers: Vec<(HeaderName, HeaderValue)>,
    tls: TlsConnector,
    resolve: Arc<dyn Resolve>,
}

impl FetchSettings {
    /// All that is wrong, without asking anybody.
    pub(crate) fn faults(&self) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        for (at, entry) in self.allow.iter().enumerate() {
            let what = Allowed::read(std::slice::from_ref(entry)).err();
            faults.extend(what.map(|what| SettingFault::of(at, what).within("allow")));
        }
        let allowed = Allowed::read(&self.allow);
        if self.allow.is_empty()
            && let Err(what) = &allowed
        {
            faults.push(SettingFault::of("allow", what));
        }
        faults.extend(self.fault_of_url(allowed.ok().as_ref()));
        for (name, value) in &self.headers {
            let fault = header(name, value).err();
            faults
                .extend(fault.map(|what| SettingFault::of(name.as_str(), what).within("headers")));
        }
        if let Some(authorities) = &self.authorities
            && let Err(what) = exchange::tls(Some(authorities))
        {
            faults.push(SettingFault::of("authorities", what));
        }
        let what = "an answer of 0 bytes: at least 1 is needed";
        faults.extend(SettingFault::unless(
            self.bytes_max.0 > 0,
            "bytes_max",
            what,
        ));
        let what = "a time of 0: nobody answers in it";
        let is_some = !self.time_max.0.is_zero();
        faults.extend(SettingFault::unless(is_some, "time_max", what));
        faults
    }

    /// What is wrong with the address of whatever message.
    fn fault_of_url(&self, allowed: Option<&Allowed>) -> Option<SettingFault> {
        let what = match self.url.fixed() {
            Some(fixed) => match fixed.parse::<Uri>() {
                Ok(address) => allowed?.check(&address, !self.headers.is_empty()).err(),
                Err(error) => Some(format!("{fixed:?} is no address: {error}")),
            },
            None => {
                let (scheme, _) = self.url.beginning().split_once("://")?;
                let is_known =
                    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
                (!is_known).then(|| format!("{scheme}:// is neither http nor https"))
            }
        };
        what.map(|what| SettingFault::of("url", what))
    }
}

fn header(name: &str, value: &Secret) -> Result<(HeaderName, HeaderValue), String> {
    let parsed: HeaderName = name
        .parse()
        .map_err(|_| format!("{name:?} is no name of a header field"))?;
    let mut value = HeaderValue::from_str(value.expose())
        .map_err(|_| format!("the value of {name} is no value of a header field"))?;
    value.set_sensitive(true);
    Ok((parsed, value))
}

impl Fetch {
    /// A step with these settings.
    ///
    /// # Errors
    /// `Fatal` when nothing is allowed, when an entry of what is allowed, a field of the head or a
    /// certificate cannot be read, or when no authority is believed.
    pub fn new(settings: FetchSettings) -> Result<Self, StageError> {
        Self::resolved_by(settings, Arc::new(System))
    }

    fn resolved_by(settings: FetchSettings, resolve: Arc<dyn Resolve>) -> Result<Self, StageError> {
        SettingFault::none_of(settings.faults())?;
        let fatal = |what: String| StageError::fatal(what);
        let allowed = Allowed::read(&settings.allow).map_err(fatal)?;
        let headers = settings.headers.iter();
        let headers = headers.map(|(name, value)| header(name, value).map_err(fatal));
        let headers = headers.collect::<Result<_, StageError>>()?;
        let tls = exchange::tls(settings.authorities.as_deref()).map_err(fatal)?;
        Ok(Self {
            settings,
            allowed,
            headers,
            tls,
            resolve,
        })
    }

    async fn answer(&self, address: &Uri, bytes_max: usize) -> Result<Answer, StageError> {
        let target = Target::of(address)?;
        let addresses = self
            .resolve
            .addresses(target.host, target.port)
            .await
            .map_err(|error| {
                StageError::unavailable(format!("{} cannot be looked up: {error}", target.host))
            })?;
        let pinned = pinned(target.host, addresses, self.settings.allow_private)?;
        target
            .get(&pinned, &self.tls, &self.headers, bytes_max)
            .await
    }
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetch")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl AsyncTransform for Fetch {
    async fn apply(&self, input: Parcel, out: &mut Emit<'_>) -> Result<(), StageError> {
        let text = self.settings.url.render(&input)?;
        let address: Uri = text
            .parse()
            .map_err(|error| StageError::rejected(format!("{text:?} is no address: {error}")))?;
        let checked = self.allowed.check(&address, !self.headers.is_empty());
        checked.map_err(StageError::rejected)?;
        let bytes_max = self.settings.bytes_max.bytes().min(out.bytes_left());
        let time_max = self.settings.time_max.0;
        let answer = tokio::time::timeout(time_max, self.answer(&address, bytes_max))
            .await
            .map_err(|_| {
                StageError::unavailable(format!("{address} did not answer within {time_max:?}"))
            })??;
        answer.check(&address)?;
        let message = input.message.without_content_encoding();
        let message = match &answer.content_type {
            Some(content_type) => message.with_content_type(content_type),
            None => message.without_content_type(),
        };
        out.push(message.with_payload(answer.body))
    }
}

impl Answer {
    /// What its status says.
    fn check(&self, address: &Uri) -> Result<(), StageError> {
        let told = format!("{address} answered {}", self.status);
        match self.status {
            status if status.is_success() => Ok(()),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Err(self.later(told)),
            status if status.is_server_error() => Err(self.later(told)),
            status if status.is_redirection() => Err(StageError::rejected(format!(
                "{told}: redirects are not followed"
            ))),
            _ => Err(StageError::rejected(told)),
        }
    }

    fn later(&self, told: String) -> StageError {
        match self.retry_after {
            Some(after) => StageError::unavailable_for(told, after),
            None => StageError::unavailable(told),
        }
    }
}
