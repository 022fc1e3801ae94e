//! From environment variables.

use std::ffi::OsString;

use fanfare_client::{Error, ErrorKind};

use super::{
    fields::Config,
    names::{self, Said},
    setting::Setting,
};

impl Config {
    /// The options that the environment has, each as `PREFIX` and its name in capitals: with
    /// `REDIS_` those are `REDIS_HOST`, `REDIS_PASSWORD`, `REDIS_SOCKET_TIMEOUT` and so on.
    ///
    /// A variable that is empty counts as not set. One whose name is a typing error of an option is
    /// an error, and so are one that is not UTF-8 and two that say the same option; others with the
    /// prefix are left alone, since they may be somebody else's.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`], naming the variable.
    pub fn from_env(prefix: &str) -> Result<Self, Error> {
        Self::from_vars_os(prefix, std::env::vars_os())
    }

    fn from_vars_os(
        prefix: &str,
        vars: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Error> {
        let mut readable = Vec::new();
        for (variable, value) in vars {
            let Ok(variable) = variable.into_string() else { continue };
            match value.into_string() {
                Ok(value) => readable.push((variable, value)),
                Err(_) => {
                    let name = variable.strip_prefix(prefix).map(str::to_ascii_lowercase);
                    if name.is_some_and(|name| names::is_known(&name)) {
                        return Err(in_variable(&variable, "it is not UTF-8"));
                    }
                }
            }
        }
        Self::from_vars(prefix, readable)
    }

    /// As [`from_env`](Self::from_env), from these variables.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    ///
    /// # Example: what a container is given
    /// ```
    /// let vars = [("REDIS_HOST", "10.0.0.7"), ("REDIS_PORT", "7000"), ("HOME", "/root")];
    /// let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
    /// let config = fanfare::Config::from_vars("REDIS_", vars)?;
    /// assert_eq!(config.options()?.url().to_string(), "redis://10.0.0.7:7000");
    /// # Ok::<_, fanfare::Error>(())
    /// ```
    pub fn from_vars(
        prefix: &str,
        vars: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let (mut config, mut said) = (Self::new(), Said::default());
        for (variable, value) in vars {
            let Some(name) = variable.strip_prefix(prefix) else { continue };
            let name = name.to_ascii_lowercase();
            if value.is_empty() {
                continue;
            }
            if names::is_known(&name) {
                let set = said.add(&name, &variable);
                let set = set.and_then(|()| config.set(&name, Setting::Text(value)));
                set.map_err(|error| in_variable(&variable, error.message()))?;
            } else if let Some(meant) = names::meant(&name) {
                let meant = meant.to_ascii_uppercase();
                return Err(in_variable(&variable, &format!("did you mean {prefix}{meant}?")));
            }
        }
        Ok(config)
    }
}

fn in_variable(variable: &str, message: &str) -> Error {
    Error::new(ErrorKind::InvalidOption, format!("environment variable {variable}: {message}"))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn what_is_not_utf_8_is_told_where_it_matters() {
        let read = |name: &str| {
            let value = OsString::from_vec(b"p\xff".to_vec());
            Config::from_vars_os("REDIS_", [(OsString::from(name), value)])
        };
        let error = read("REDIS_PASSWORD").unwrap_err();
        assert_eq!(error.message(), "environment variable REDIS_PASSWORD: it is not UTF-8");
        assert!(read("REDIS_SOMETHING_ELSE").is_ok());
        assert!(read("PASSWORD").is_ok());
    }
}
