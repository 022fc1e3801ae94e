//! What a request costs the server and a message the client: 100 of each, pipelined in one buffer.
//!
//! `cargo bench -p fanfare-resp`: a reported time is for all 100. `cargo test` runs each once.

#![expect(clippy::expect_used, reason = "a benchmark stops at the first surprise")]

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use fanfare_resp::{Decoder, Limits, Progress, RequestDecoder, Version, Writer};

const N_PIPELINED: usize = 100;
const PAYLOAD_LENS: [usize; 2] = [64, 1024];

fn requests(c: &mut Criterion) {
    let mut group = c.benchmark_group("request");
    group.throughput(Throughput::Elements(N_PIPELINED as u64));
    for payload_len in PAYLOAD_LENS {
        let payload = vec![b'x'; payload_len];
        let mut wire = Vec::new();
        for _ in 0..N_PIPELINED {
            fanfare_resp::command(&mut wire, [&b"PUBLISH"[..], b"news", &payload].into_iter());
        }
        let mut decoder = RequestDecoder::new(Limits::default());
        assert_eq!(decode_requests(&mut decoder, &wire), N_PIPELINED * (7 + 4 + payload_len));
        group.bench_function(format!("publish-{payload_len}"), |b| {
            b.iter(|| decode_requests(&mut decoder, black_box(&wire)));
        });
    }
    group.finish();
}

/// Decodes all of `wire`; returns the bytes of all arguments together.
fn decode_requests(decoder: &mut RequestDecoder, wire: &[u8]) -> usize {
    let mut n_bytes = 0;
    let mut rest = wire;
    while !rest.is_empty() {
        let progress = decoder.decode(rest).expect("well-formed");
        let Progress::Complete { consumed } = progress else { return n_bytes };
        n_bytes += black_box(decoder.request(rest)).iter().map(<[u8]>::len).sum::<usize>();
        rest = rest.get(consumed..).unwrap_or_default();
    }
    n_bytes
}

fn replies(c: &mut Criterion) {
    let mut group = c.benchmark_group("reply");
    group.throughput(Throughput::Elements(N_PIPELINED as u64));
    for payload_len in PAYLOAD_LENS {
        let payload = vec![b'x'; payload_len];
        let mut wire = Vec::new();
        for _ in 0..N_PIPELINED {
            let mut writer = Writer::new(&mut wire, Version::Resp3);
            writer.push(3);
            writer.bulk(b"message");
            writer.bulk(b"news");
            writer.bulk(&payload);
        }
        bench_replies(&mut group, &format!("message-{payload_len}"), &wire);
    }
    let mut wire = Vec::new();
    for n_receivers in 0..100 {
        Writer::new(&mut wire, Version::Resp2).int(n_receivers);
    }
    bench_replies(&mut group, "integer", &wire);
    group.finish();
}

fn bench_replies(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: &str,
    wire: &[u8],
) {
    let mut decoder = Decoder::new(Limits::default());
    assert_eq!(decode_replies(&mut decoder, BytesMut::from(wire)), N_PIPELINED);
    group.bench_function(name, |b| {
        b.iter_batched(
            || BytesMut::from(wire),
            |buf| decode_replies(&mut decoder, buf),
            BatchSize::SmallInput,
        );
    });
}

fn decode_replies(decoder: &mut Decoder, mut buf: BytesMut) -> usize {
    let mut n_values = 0;
    while let Some(value) = decoder.decode(&mut buf).expect("well-formed") {
        black_box(value);
        n_values += 1;
    }
    n_values
}

criterion_group!(benches, requests, replies);
criterion_main!(benches);
