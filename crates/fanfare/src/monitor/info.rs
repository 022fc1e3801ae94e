//! The text of `INFO`, as facts.

use std::collections::HashMap;

/// The fields of `INFO` by their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Info(HashMap<String, String>);

impl Info {
    /// Reads the lines `name:value`; whatever else there is does not count.
    pub(crate) fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let fields = text.lines().filter(|it| !it.starts_with('#'));
        let fields = fields.filter_map(|it| it.trim_end().split_once(':'));
        Self(fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// `None` also for what is no whole number from 0, such as -1 for "never".
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    pub(crate) fn float(&self, name: &str) -> Option<f64> {
        self.text(name)?.parse().ok()
    }

    /// Whether a field says 1; `None` if there is no such field.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.number(name).map(|it| it == 1)
    }

    /// Those whose name begins so, with the rest of the name.
    pub(crate) fn beginning<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, &**value)))
    }

    /// The program and its version: `redis 7.0.15`, `valkey 8.1.0`, `fanfare 0.1.0`.
    pub(crate) fn server(&self) -> Option<String> {
        let named = |name: &str| Some(format!("{name} {}", self.text(&format!("{name}_version"))?));
        named("fanfare").or_else(|| named("valkey")).or_else(|| named("redis"))
    }
}

/// One of the words `name=value,name=value` that are some fields' values.
pub(crate) fn word<'a>(words: &'a str, name: &str) -> Option<&'a str> {
    words.split(',').find_map(|it| it.split_once('=').filter(|it| it.0 == name)).map(|it| it.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_name_and_nonsense_does_no_harm() {
        let text = b"# Server\r\nredis_version:7.0.15\r\nrun_id:a:b\r\n\r\n# X\r\n\
                     aof_enabled:1\r\nlast:-1\r\nslave0:ip=1.2.3.4,state=online\r\n\xff\xfe\r\n";
        let info = Info::parse(text);
        assert_eq!(info.server().as_deref(), Some("redis 7.0.15"));
        assert_eq!(info.text("run_id"), Some("a:b"));
        assert_eq!((info.flag("aof_enabled"), info.number("last")), (Some(true), None));
        assert_eq!(info.number("missing"), None);
        let (rest, words) = info.beginning("slave").next().unwrap();
        assert_eq!((rest, word(words, "state"), word(words, "lag")), ("0", Some("online"), None));
    }
}
