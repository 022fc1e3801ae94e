//! `bit`, `struct` and `cmsgpack`.

use super::Oracle;

#[test]
fn libraries_answer_as_in_redis() {
    let mut oracle = Oracle::start();
    for body in include_str!("libraries.txt").lines() {
        oracle.script(body);
    }
    let numbers = [
        "0", "1", "-1", "255", "-32", "-33", "127", "128", "65535", "65536", "2^31", "2^32-1",
        "-2^31", "2^53", "-129", "1.5", "0.1", "2^63", "1e300", "\"12\"", "-2.5", "2^40+0.5",
    ];
    for number in numbers {
        for function in ["tobit", "bnot", "bswap", "tohex"] {
            oracle.script(format!("return bit.{function}({number})"));
        }
        for function in ["band", "bor", "bxor", "lshift", "rshift", "arshift", "rol", "ror"] {
            oracle.script(format!("return bit.{function}({number}, 5)"));
            oracle.script(format!("return bit.{function}(12345, {number})"));
        }
        oracle.script(format!("return cmsgpack.pack({number})"));
        for format in
            ["b", "B", ">h", "<H", "l", "L", ">i", "I", "i8", ">I3", "f", ">d", "i16", "T"]
        {
            oracle.script(format!(
                "local p = struct.pack('{format}', {number}) \
                 return {{p, tostring(struct.unpack('{format}', p)), struct.size('{format}')}}"
            ));
        }
    }
    oracle.finish();
}
