//! From environment variables.

use fanfare_client::{Error, ErrorKind};

use super::{fields::Config, names, setting::Setting};

impl Config {
    /// The options that the environment has, each as `PREFIX` and its name in capitals: with
    /// `REDIS_` those are `REDIS_HOST`, `REDIS_PASSWORD`, `REDIS_SOCKET_TIMEOUT` and so on.
    ///
    /// A variable that is empty counts as not set. One whose name is a typing error of an option is
    /// an error; others with the prefix are left alone, since they may be somebody else's.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`], naming the variable.
    pub fn from_env(prefix: &str) -> Result<Self, Error> {
        Self::from_vars(
            prefix,
            std::env::vars_os().filter_map(|(name, value)| {
                Some((name.into_string().ok()?, value.into_string().ok()?))
            }),
        )
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
        let mut config = Self::new();
        for (variable, value) in vars {
            let Some(name) = variable.strip_prefix(prefix) else { continue };
            let name = name.to_ascii_lowercase();
            let in_variable = |message: String| {
                Error::new(
                    ErrorKind::InvalidOption,
                    format!("environment variable {variable}: {message}"),
                )
            };
            if value.is_empty() {
                continue;
            }
            if names::is_known(&name) {
                let set = config.set(&name, Setting::Text(value));
                set.map_err(|error| in_variable(error.message().to_owned()))?;
            } else if let Some(meant) = names::meant(&name) {
                let meant = meant.to_ascii_uppercase();
                return Err(in_variable(format!("did you mean {prefix}{meant}?")));
            }
        }
        Ok(config)
    }
}
