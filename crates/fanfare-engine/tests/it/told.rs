//! What the host of a world was told, as text.

use fanfare_engine::Version;
use fanfare_engine::notify::Classes;

use crate::world::{World, shown};

impl World {
    /// What was recorded since this was asked last, words separated by spaces.
    pub(crate) fn recorded(&mut self) -> Vec<String> {
        let words = |args: Vec<Box<[u8]>>| -> Vec<String> {
            args.iter().map(|it| it.escape_ascii().to_string()).collect()
        };
        self.host.effects.drain(..).map(|it| words(it.args).join(" ")).collect()
    }

    /// Runs what another one has recorded since it was asked last; none of it may fail.
    pub(crate) fn follow(&mut self, other: &mut Self) {
        for effect in other.host.effects.drain(..) {
            let args: Vec<Vec<u8>> = effect.args.iter().map(|it| it.to_vec()).collect();
            let wire = self.call(0, &args);
            assert!(!wire.starts_with(b"-"), "{:?}: {}", effect.args, wire.escape_ascii());
        }
    }

    /// Who waited and was served since this was asked last, and what: `2: $1 x`.
    pub(crate) fn served(&mut self) -> Vec<String> {
        let version_of = |id: u64| self.clients.iter().find(|it| it.id == id).map(|it| it.version);
        let line = |(id, reply): (u64, fanfare_engine::Reply)| {
            let version = version_of(id).expect("it is one of the clients");
            // As bytes: how a name is held makes no difference.
            let mut wire = Vec::new();
            reply.write(&mut fanfare_resp::Writer::new(&mut wire, version));
            format!("{id}: {}", shown(&wire))
        };
        self.host.served.drain(..).map(line).collect()
    }
}

/// Checks which events of these classes each line publishes, as `event key`.
pub(crate) fn check_published(classes: &str, lines: &[(&str, &[&str])]) {
    let mut world = World::new(Version::Resp2);
    world.keyspace.tuning().set_notify(Classes::parse(classes).expect("letters"));
    for (line, expected) in lines {
        world.host.published.clear();
        world.line(line);
        assert_eq!(world.host.published, *expected, "{line}");
    }
}
