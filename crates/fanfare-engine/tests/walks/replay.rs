//! The effects of a walk, run again in an empty keyspace, make the same keys.

use fanfare_engine::ctx::announce_expired;
use fanfare_engine::effect::Effect;
use fanfare_engine::tuning::Tuning;
use fanfare_engine::{Host, Now, Version};
use fanfare_testkit::seed;

use crate::contents::{Look, assert_alike, contents};
use crate::diary::Diary;
use crate::draw::Draw;
use crate::steps;
use crate::words;
use crate::world::{World, shown};

const N_WALKS: u64 = 10;
const N_STEPS: usize = 2000;

/// What effects make of an empty keyspace. Its clock stands at the epoch and its chance is another, since effects depend
/// on neither.
pub(crate) struct Replica(World);

impl Replica {
    pub(crate) fn new() -> Self {
        let mut world = World::new(Version::Resp2);
        world.host.random();
        Self(world)
    }

    pub(crate) fn tuning(&self) -> &Tuning {
        self.0.keyspace.tuning()
    }

    /// It is `now_ms` where the effects come from: what lies in the future can not have been delivered.
    pub(crate) fn apply(&mut self, effects: Vec<Effect>, now_ms: u64, diary: &mut Diary) {
        for effect in effects {
            self.0.now_ms = if *effect.args[0] == *b"XCLAIM" { now_ms } else { 0 };
            diary.note_effect(&effect);
            self.0.clients[0].db = effect.db;
            let args: Vec<Vec<u8>> = effect.args.iter().map(|it| it.to_vec()).collect();
            let reply = self.0.call(0, &args);
            assert!(
                !reply.starts_with(b"-"),
                "an effect is refused: {}\nafter\n{}",
                shown(&reply),
                diary.tail(&text(&effect))
            );
        }
    }

    /// Fails if it holds anything else than the world from which the effects came.
    pub(crate) fn compare(&mut self, world: &mut World, diary: &mut Diary) {
        let ours = contents(world, Look::AtValues);
        // What the look itself found to be due.
        self.apply(std::mem::take(&mut world.host.effects), world.now_ms, diary);
        self.0.now_ms = world.now_ms;
        let theirs = contents(&mut self.0, Look::AtValues);
        assert_alike(("run", &ours), ("run again", &theirs), |words| diary.tail(words));
    }
}

/// Removes what is due, as the server does in the background.
pub(crate) fn expire_due(world: &mut World) {
    let World { keyspace, host, now_ms, .. } = world;
    keyspace.expire_due(Now { unix_us: *now_ms * 1000 }, usize::MAX, |db, expired, _| {
        announce_expired(host, keyspace.tuning(), db, expired);
    });
}

fn text(effect: &Effect) -> Vec<String> {
    effect.args.iter().map(|it| String::from_utf8_lossy(it).into_owned()).collect()
}

#[test]
fn effects_make_the_same_keys_while_time_passes() {
    let seed = seed();
    for walk in 0..N_WALKS {
        replay(seed.wrapping_add(walk), walk % 3 == 2);
    }
}

fn replay(seed: u64, is_about_streams: bool) {
    let mut draw = Draw::new(seed, true);
    draw.is_about_streams = is_about_streams;
    let mut world = World::new(Version::Resp2);
    let mut replica = Replica::new();
    let mut diary = Diary::default();
    let mut client_idx = 0;
    for _ in 0..N_STEPS {
        world.now_ms += [0, 0, 0, 1, 9, 60, 2000][draw.below(7)];
        if draw.once_in(6) {
            client_idx = draw.below(2);
        }
        let words = steps::next(&mut draw, steps::in_multi(&world, client_idx));
        diary.note((client_idx, world.clients[client_idx].db), &words);
        let args: Vec<_> = words.iter().map(|it| words::bytes(it)).collect();
        world.call(client_idx, &args);
        replica.apply(std::mem::take(&mut world.host.effects), world.now_ms, &mut diary);
        if draw.once_in(100) {
            expire_due(&mut world);
        }
        if draw.once_in(120) {
            replica.compare(&mut world, &mut diary);
        }
    }
    replica.compare(&mut world, &mut diary);
}
