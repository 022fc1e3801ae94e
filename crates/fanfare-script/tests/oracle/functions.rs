//! Libraries of functions.

use fanfare_resp::Version;

use super::{Oracle, encode, fake::Fake};

impl Oracle {
    fn load(&mut self, code: &str, is_replacing: bool) {
        let command: &[&[u8]] = if is_replacing {
            &[b"FUNCTION", b"LOAD", b"REPLACE", code.as_bytes()]
        } else {
            &[b"FUNCTION", b"LOAD", code.as_bytes()]
        };
        let theirs = self.ask(Version::Resp2, command);
        let (_, loaded) = self.runtime.load_library(code.as_bytes(), is_replacing, Fake::default());
        let ours = match loaded {
            Ok(name) => encode(&fanfare_resp::Value::BulkString(name), Version::Resp2),
            Err(error) => [b"-", error.as_bytes(), b"\r\n"].concat(),
        };
        self.compare(code.as_bytes(), &theirs, &ours);
    }

    fn call(&mut self, name: &str, args: &[&[u8]]) {
        for version in [Version::Resp2, Version::Resp3] {
            let command = [&[b"FCALL", name.as_bytes(), b"1", b"key"], args].concat();
            let theirs = self.ask(version, &command);
            let ours = match self.runtime.function(name.as_bytes()) {
                Some(function) => {
                    let caller = Fake::default();
                    let (_, answer) =
                        self.runtime.call_function(&function, &[b"key"], args, caller);
                    encode(&answer.reply, version)
                }
                None => b"-ERR Function not found\r\n".to_vec(),
            };
            self.compare(name.as_bytes(), &theirs, &ours);
        }
    }
}

#[test]
fn libraries_load_and_run_as_in_redis() {
    let mut oracle = Oracle::start();
    for code in include_str!("functions.txt").split("\n--\n") {
        let code = code.trim_end_matches('\n');
        oracle.load(code, true);
        for name in ["f", "F", "g", "h"] {
            oracle.call(name, &[b"arg", b"b"]);
        }
    }
    oracle.load("#!lua name=x\nredis.register_function('f', function() end)", false);
    oracle.load("#!lua name=x\nredis.register_function('f', function() end)", false);
    oracle.load("#!lua name=y\nredis.register_function('f', function() end)", false);
    oracle.load("#!lua name=y\nredis.register_function('f', function() end)", true);
    oracle.finish();
}

#[test]
fn what_is_known_of_a_library() {
    let mut runtime = fanfare_script::Runtime::new(Default::default()).unwrap();
    let code = b"#!lua name=lib\nredis.register_function{function_name='f', description='d', \
                 flags={'no-writes', 'allow-stale'}, callback=function() end}";
    let (_, loaded) = runtime.load_library(code, false, Fake::default());
    assert_eq!(loaded.unwrap(), "lib");
    let library = runtime.library(b"lib").unwrap();
    assert_eq!((library.engine(), &library.code()[..]), ("LUA", &code[..]));
    let function = &library.functions()[0];
    assert_eq!(function.name(), "f");
    assert_eq!(function.description().unwrap(), "d");
    assert_eq!(function.flags().names().collect::<Vec<_>>(), ["no-writes", "allow-stale"]);
    assert_eq!((runtime.libraries().count(), runtime.n_functions()), (1, 1));
    runtime.delete_library(b"lib").unwrap();
    assert_eq!(runtime.delete_library(b"lib").unwrap_err().as_bytes(), b"ERR Library not found");
    assert_eq!((runtime.libraries().count(), runtime.n_functions()), (0, 0));
}
