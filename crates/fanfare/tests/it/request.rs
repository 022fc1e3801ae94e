//! Requests: each ends with its answer, or with an error that says what is known.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fanfare::{
    Call, Envelope, ErrorKind, Fanfare, Head, Json, Raw, Sealed, State, Text,
    request::{Gather, Requester, Target},
};
use tokio::sync::Semaphore;

use crate::support::{Target as Server, TestResult, on_everything, until};

on_everything!(a_request_has_an_answer_or_the_handlers_error, nobody_there_is_told_at_once_where_it_can_be, answers_find_their_requests_whatever_their_order, answers_of_several_are_gathered, late_answers_are_counted, an_answer_that_may_be_lost_is_told, one_of_several_workers_answers, namespaces_do_not_hear_each_other, a_responder_answers_what_it_has_begun, answers_outlive_their_requester, requests_with_one_id_have_an_answer_each, a_flood_of_answers_ends_at_the_deadline, answers_that_nobody_takes_are_dropped_and_counted, the_older_protocol_will_do; not embedded: a_server_that_was_away_is_asked_again,);

/// Time enough for everything.
const PATIENCE: Duration = Duration::from_secs(60);

async fn patient(fanfare: &Fanfare) -> Result<Requester, fanfare::Error> {
    Ok(fanfare.requester().await?.deadline(PATIENCE))
}

async fn a_request_has_an_answer_or_the_handlers_error(server: Server) -> TestResult {
    let (here, there) = (server.connect().await?, server.connect().await?);
    let handler = async |Json(n): Json<u32>| match n {
        7 => Err("seven is refused".to_owned()),
        8 => panic!("a secret of the handler"),
        n => Ok(Json(n * 2)),
    };
    let responder = there.respond("double", handler).start().await?;
    let requester = patient(&here).await?;
    assert_eq!(requester.request("double", &4).await?.json::<u32>()?, 8);
    for (value, code, text) in
        [("7", "(failed)", "seven is refused"), ("8", "(panicked)", "the handler panicked")]
    {
        let n: u32 = value.parse()?;
        let error = requester.request("double", &n).await.err().ok_or("it is refused")?;
        assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, "FF-6203"));
        let told = error.to_string();
        assert!(told.contains(code) && told.contains(text) && !told.contains("secret"), "{told}");
        assert!(!error.is_retryable());
    }
    let error = requester.request("double", "no number").await.err().ok_or("it can not be read")?;
    assert!(error.to_string().contains("(undecodable)"), "{error}");
    assert_eq!(requester.request("double", &5).await?.json::<u32>()?, 10);
    // What asks for no answer is handled, and nothing is published for it; nor is anything anywhere
    // but in an inbox.
    here.publish("double", "6").await?;
    let elsewhere = Envelope::new("request", 6).with("reply_to", "elsewhere");
    let mut listening = here.subscribe(["elsewhere"]).await?;
    here.publish("double", elsewhere.to_payload()?).await?;
    assert_eq!(requester.request("double", &9).await?.json::<u32>()?, 18);
    until("all are counted", || responder.stats().answered == 3).await?;
    let stats = responder.stop().await;
    assert_eq!((stats.refused, stats.panicked, stats.one_way, stats.unsent), (3, 1, 2, 0));
    assert_eq!(listening.stats().received, 0);
    here.publish("elsewhere", "x").await?;
    assert_eq!(crate::support::next(&mut listening).await?.payload, "x");
    let stats = requester.stats();
    assert_eq!((stats.requests, stats.answers, stats.unknown, stats.waiting), (6, 6, 0, 0));
    // Bytes, texts, and an envelope of the program's own.
    let echo = there.respond("echo", async |call: Call| {
        let head = call.head().map(|head| (head.kind().to_owned(), head.id().to_owned()));
        let (kind, id) = head.ok_or("no envelope")?;
        assert_eq!((kind.as_str(), id.as_str()), ("picture.show", "picture 7"));
        Ok::<_, fanfare::BoxError>(Raw(call.payload()?.clone()))
    });
    let echo = echo.start().await?;
    let every_byte: Vec<u8> = (0..=255).collect();
    let head: Head = Envelope::new("picture.show", ()).id("picture 7").head;
    let answer = requester
        .request_sealed("echo", Sealed::new(head, "image/png", every_byte.clone()))
        .await?;
    assert_eq!(*answer.payload(), every_byte);
    assert_eq!(answer.head().text("causation_id"), Some("picture 7"));
    assert_eq!(answer.head().content_type(), "application/octet-stream");
    assert_eq!(answer.json::<u32>().err().map(|it| it.kind()), Some(ErrorKind::Decode));
    echo.stop().await;
    Ok(())
}

async fn nobody_there_is_told_at_once_where_it_can_be(server: Server) -> TestResult {
    let fanfare = server.connect().await?;
    let requester = patient(&fanfare).await?;
    let shard = Target::Shard("nobody".into());
    let error = requester.request(shard, &1).await.err().ok_or("nobody is there")?;
    assert_eq!((error.kind(), error.code()), (ErrorKind::NoResponders, "FF-6201"));
    assert!(error.is_retryable() && !error.may_have_been_delivered());
    if matches!(server, Server::Cluster(_)) {
        // One node can not tell who is at the others.
        let hasty = requester.clone().deadline(Duration::from_secs(2));
        let error = hasty.request("nobody", &1).await.err().ok_or("nobody is there")?;
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.may_have_been_delivered());
    } else {
        let error = requester.request("nobody", &1).await.err().ok_or("nobody is there")?;
        assert_eq!(error.kind(), ErrorKind::NoResponders);
    }
    // Whoever is there on a sharded channel is found in a cluster too.
    let responder = fanfare.respond("plain", async || Text("here".into())).sharded(["somebody"]);
    let responder = responder.start().await?;
    let somebody = Target::Shard("somebody".into());
    assert_eq!(requester.request(somebody, &1).await?.payload(), "here");
    assert_eq!(requester.request("plain", &1).await?.payload(), "here");
    responder.stop().await;
    assert_eq!(requester.stats().waiting, 0);
    Ok(())
}

async fn answers_find_their_requests_whatever_their_order(server: Server) -> TestResult {
    const N: u64 = 300;
    let (here, there) = (server.connect().await?, server.connect().await?);
    // Every other request waits until all are there.
    let gate = Arc::new(Semaphore::new(0));
    let handler = async |State(gate): State<Arc<Semaphore>>, Json(n): Json<u64>| {
        if n % 2 == 0 {
            gate.acquire().await.map_err(|_| "closed")?.forget();
        }
        Ok::<_, &str>(Json(n))
    };
    let responder = there.respond_with("echo", handler, gate.clone());
    let responder = responder.concurrency(usize::try_from(N)?).start().await?;
    let requester = patient(&here).await?;
    let requests: Vec<_> = (0..N)
        .map(|n| {
            let requester = requester.clone();
            tokio::spawn(async move { requester.request("echo", &n).await?.json::<u64>() })
        })
        .collect();
    until("the odd ones are answered", || requester.stats().answers == N / 2).await?;
    gate.add_permits(usize::try_from(N)?);
    for (n, request) in (0..N).zip(requests) {
        assert_eq!(request.await??, n);
    }
    let stats = requester.stats();
    assert_eq!((stats.answers, stats.unknown, stats.waiting), (N, 0, 0));
    assert_eq!(responder.stop().await.answered, N);
    Ok(())
}

async fn answers_of_several_are_gathered(server: Server) -> TestResult {
    let (here, there) = (server.connect().await?, server.connect().await?);
    let mut responders = Vec::new();
    for n in 0..5_u32 {
        let handler = async move |State(n): State<u32>| match n {
            3 => Err("three is out"),
            n => Ok(Json(n)),
        };
        responders.push(there.respond_with("who", handler, n).start().await?);
    }
    let requester = patient(&here).await?;
    let all = Gather::new().at_most(5);
    let answers = requester.request_many("who", &(), all).await?;
    let is_cluster = answers.receivers().is_none();
    // All of them are on one connection.
    assert!(is_cluster || answers.receivers() == Some(1));
    let (mut numbers, mut n_refused) = (HashSet::new(), 0);
    for answer in answers.all().await {
        match answer {
            Ok(answer) => assert!(numbers.insert(answer.json::<u32>()?)),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Refused);
                n_refused += 1;
            }
        }
    }
    assert_eq!((numbers, n_refused), (HashSet::from([0, 1, 2, 4]), 1));
    // Fewer are enough; the others' answers are nobody's.
    let two = requester.request_many("who", &(), Gather::new().at_most(2)).await?.all().await;
    assert_eq!(two.len(), 2);
    until("the other three came", || {
        let stats = requester.stats();
        stats.unknown + stats.dropped == 3
    })
    .await?;
    // Until nothing more comes, long before the deadline; and until the deadline.
    let quiet = Gather::new().quiet_for(Duration::from_secs(5));
    assert_eq!(requester.request_many("who", &(), quiet).await?.all().await.len(), 5);
    let hasty = requester.clone().deadline(Duration::from_secs(8));
    assert_eq!(hasty.request_many("who", &(), Gather::new()).await?.all().await.len(), 5);
    assert!(
        requester.request_many("who", &(), Gather::new().at_most(0)).await?.next().await.is_none()
    );
    assert_eq!(requester.stats().waiting, 0);
    for responder in responders {
        responder.stop().await;
    }
    Ok(())
}

async fn late_answers_are_counted(server: Server) -> TestResult {
    let (here, there) = (server.connect().await?, server.connect().await?);
    let gate = Arc::new(Semaphore::new(0));
    let handler = async |State(gate): State<Arc<Semaphore>>| {
        gate.acquire().await.map_err(|_| "closed")?.forget();
        Ok::<_, &str>(())
    };
    let responder = there.respond_with("slow", handler, gate.clone()).start().await?;
    let requester = patient(&here).await?;
    let hasty = requester.clone().deadline(Duration::from_secs(2));
    let error = hasty.request("slow", &1).await.err().ok_or("it was too slow for that")?;
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.may_have_been_delivered() && error.is_retryable());
    let waiting = tokio::spawn({
        let requester = requester.clone();
        async move { requester.request("slow", &2).await }
    });
    gate.add_permits(2);
    waiting.await??;
    let stats = requester.stats();
    assert_eq!((stats.answers, stats.unknown, stats.waiting), (1, 1, 0));
    // Whatever else comes to the inbox.
    here.publish(requester.inbox(), "nonsense").await?;
    until("it came", || requester.stats().undecodable == 1).await?;
    responder.stop().await;
    Ok(())
}

async fn an_answer_that_may_be_lost_is_told(server: Server) -> TestResult {
    let (here, there) = (server.connect().await?, server.connect().await?);
    let (begun, gate) = (Arc::new(AtomicU64::new(0)), Arc::new(Semaphore::new(0)));
    let handler = async |State((begun, gate)): State<(Arc<AtomicU64>, Arc<Semaphore>)>| {
        begun.fetch_add(1, Ordering::Relaxed);
        gate.acquire().await.map_err(|_| "closed")?.forget();
        Ok::<_, &str>(())
    };
    let responder = there.respond_with("slow", handler, (begun.clone(), gate.clone()));
    let responder = responder.concurrency(8).start().await?;
    let requester = patient(&here).await?;
    let waiting = tokio::spawn({
        let requester = requester.clone();
        async move { requester.request("slow", &1).await }
    });
    until("it is being handled", || begun.load(Ordering::Relaxed) == 1).await?;
    until("somebody is cut off", || 0 < server.kill_clients("pubsub")).await?;
    let error = waiting.await?.err().ok_or("the answer was not lost")?;
    assert_eq!((error.kind(), error.code()), (ErrorKind::AnswerLost, "FF-6202"));
    assert!(error.is_retryable() && error.may_have_been_delivered());
    assert_eq!(requester.stats().lost, 1);
    gate.add_permits(1_000);
    // The inbox is there again, or will be.
    let hasty = requester.clone().deadline(Duration::from_secs(1));
    while let Err(error) = hasty.request("slow", &2).await {
        assert!(error.is_retryable(), "{error:?}");
    }
    responder.stop().await;
    Ok(())
}

async fn one_of_several_workers_answers(server: Server) -> TestResult {
    const N: u64 = 40;
    let (here, there) = (server.connect().await?, server.connect().await?);
    let handled = Arc::new(AtomicU64::new(0));
    let handler = async |State(handled): State<Arc<AtomicU64>>, Json(n): Json<u64>| {
        handled.fetch_add(1, Ordering::Relaxed);
        if n == 13 { Err("thirteen is out") } else { Ok(Json(n + 1)) }
    };
    let answering = there.answering(handler, handled.clone());
    let group = there.stream("jobs").group("team");
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(group.worker().concurrency(4).spawn_service(answering.clone())?);
    }
    let requester = patient(&here).await?;
    for n in 0..N {
        match requester.request(Target::Stream("jobs".into()), &n).await {
            Ok(answer) => assert_eq!(answer.json::<u64>()?, n + 1),
            Err(error) => assert_eq!((n, error.kind()), (13, ErrorKind::Refused)),
        }
    }
    assert_eq!(handled.load(Ordering::Relaxed), N);
    // An answer is heard before whoever gave it knows.
    for worker in workers {
        worker.stop().await;
    }
    let stats = answering.stats();
    assert_eq!((stats.answered, stats.refused, stats.unheard), (N - 1, 1, 0));
    // A stream keeps a request until somebody comes.
    let hasty = requester.clone().deadline(Duration::from_secs(2));
    let error = hasty.request(Target::Stream("jobs".into()), &77).await.err().ok_or("who?")?;
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let worker = group.worker().spawn_service(answering.clone())?;
    until("it is handled", || handled.load(Ordering::Relaxed) == N + 1).await?;
    until("and answered too late", || requester.stats().unknown == 1).await?;
    worker.stop().await;
    Ok(())
}

async fn namespaces_do_not_hear_each_other(server: Server) -> TestResult {
    let within = async |namespace: &'static str| {
        Fanfare::builder(&server.url()).options(|it| it.namespace(namespace)).connect().await
    };
    let (staging, production) = (within("staging:").await?, within("production:").await?);
    let one = staging.respond("who", async || Text("staging".into())).start().await?;
    let two = production.respond("who", async || Text("production".into())).start().await?;
    for (fanfare, expected) in [(&staging, "staging"), (&production, "production")] {
        let requester = patient(fanfare).await?;
        let gather = Gather::new().quiet_for(Duration::from_secs(3));
        let answers = requester.request_many("who", &(), gather).await?.all().await;
        let answers: Result<Vec<_>, _> = answers.into_iter().collect();
        let payloads: Vec<_> = answers?.iter().map(|it| it.payload().clone()).collect();
        assert_eq!(payloads, [expected]);
    }
    one.stop().await;
    two.stop().await;
    Ok(())
}

async fn a_responder_answers_what_it_has_begun(server: Server) -> TestResult {
    let (here, there) = (server.connect().await?, server.connect().await?);
    let (begun, gate) = (Arc::new(AtomicU64::new(0)), Arc::new(Semaphore::new(0)));
    let handler = async |State((begun, gate)): State<(Arc<AtomicU64>, Arc<Semaphore>)>| {
        begun.fetch_add(1, Ordering::Relaxed);
        gate.acquire().await.map_err(|_| "closed")?.forget();
        Ok::<_, &str>(())
    };
    let responder =
        there.respond_with("slow", handler, (begun.clone(), gate.clone())).start().await?;
    let requester = patient(&here).await?;
    let waiting = tokio::spawn({
        let requester = requester.clone();
        async move { requester.request("slow", &1).await }
    });
    until("it is being handled", || begun.load(Ordering::Relaxed) == 1).await?;
    let stopping = tokio::spawn(responder.stop());
    gate.add_permits(1);
    waiting.await??;
    assert_eq!(stopping.await?.answered, 1);
    // A requester whose handle is closed says so.
    here.close().await;
    until("the inbox knows", || requester.stats().waiting == 0).await?;
    let error = requester.request("slow", &1).await.err().ok_or("it is closed")?;
    assert_eq!(error.kind(), ErrorKind::Closed);
    Ok(())
}

async fn a_server_that_was_away_is_asked_again(mut server: Server) -> TestResult {
    let (here, there) = (server.connect().await?, server.connect().await?);
    let handled: Arc<[AtomicU64; 4]> = Arc::default();
    let handler = async |State(handled): State<Arc<[AtomicU64; 4]>>, Json(n): Json<usize>| {
        handled.get(n).ok_or("what?")?.fetch_add(1, Ordering::Relaxed);
        Ok::<_, &str>(Json(n))
    };
    let responder = there.respond_with("echo", handler, handled.clone()).start().await?;
    let requester = patient(&here).await?;
    assert_eq!(requester.request("echo", &1).await?.json::<u32>()?, 1);
    server.stop();
    let hasty = requester.clone().deadline(Duration::from_secs(1));
    let error = hasty.request("echo", &2).await.err().ok_or("it is away")?;
    assert!(error.is_retryable(), "{error:?}");
    // Begun while it is away, it is not taken for lost when the inbox comes back.
    let asking = tokio::spawn({
        let requester = requester.clone();
        async move {
            loop {
                match requester.request("echo", &3).await {
                    Ok(answer) => break answer,
                    Err(error) => {
                        let is_known = error.is_retryable() && !error.may_have_been_delivered();
                        assert!(is_known, "{error:?}");
                    }
                }
            }
        }
    });
    until("it is asked", || requester.stats().waiting == 0).await?;
    server.restart();
    assert_eq!(asking.await?.json::<u32>()?, 3);
    let [_, first, unknown, last] = handled.each_ref().map(|it| it.load(Ordering::Relaxed));
    // The one that nobody waits for any more may have been on its way.
    assert!((first, last) == (1, 1) && unknown <= 1, "{handled:?}");
    assert_eq!(requester.stats().waiting, 0);
    responder.stop().await;
    Ok(())
}

/// The inbox was gone with the requester, and its answers waited for until the deadline.
async fn answers_outlive_their_requester(server: Server) -> TestResult {
    let (here, there) = (server.connect().await?, server.connect().await?);
    let gate = Arc::new(Semaphore::new(0));
    let handler = async |State(gate): State<Arc<Semaphore>>| {
        gate.acquire().await.map_err(|_| "closed")?.forget();
        Ok::<_, &str>(())
    };
    let responder = there.respond_with("slow", handler, gate.clone()).start().await?;
    let requester = patient(&here).await?;
    let gather = Gather::new().at_most(1);
    let mut answers = requester.request_many("slow", &(), gather).await?;
    let inbox = requester.inbox().to_owned();
    drop(requester);
    gate.add_permits(1);
    answers.next().await.ok_or("there is an answer")??;
    drop(answers);
    until("the inbox is gone then", || server.n_subscribers(&inbox) == 0).await?;
    responder.stop().await;
    Ok(())
}

/// The second took the place of the first, which waited until its deadline.
async fn requests_with_one_id_have_an_answer_each(server: Server) -> TestResult {
    let (here, there) = (server.connect().await?, server.connect().await?);
    let gate = Arc::new(Semaphore::new(0));
    let handler = async |State(gate): State<Arc<Semaphore>>| {
        gate.acquire().await.map_err(|_| "closed")?.forget();
        Ok::<_, &str>(())
    };
    let responder = there.respond_with("twice", handler, gate.clone()).concurrency(8);
    let responder = responder.start().await?;
    let requester = patient(&here).await?;
    let asking: Vec<_> = (0..3)
        .map(|_| {
            let requester = requester.clone();
            let head = Envelope::new("request", ()).id("the same").head;
            let sealed = Sealed::new(head, "application/json", "null");
            tokio::spawn(async move { requester.request_sealed("twice", sealed).await })
        })
        .collect();
    until("all are asked", || requester.stats().waiting == 3).await?;
    gate.add_permits(3);
    for asking in asking {
        asking.await??;
    }
    let stats = requester.stats();
    assert_eq!((stats.answers, stats.unknown, stats.waiting), (3, 0, 0));
    responder.stop().await;
    Ok(())
}

/// As long as there was an answer to take, nobody looked at the clock.
async fn a_flood_of_answers_ends_at_the_deadline(server: Server) -> TestResult {
    let (here, there) = (server.connect().await?, server.connect().await?);
    let (sender, mut asked) = tokio::sync::mpsc::channel(1);
    let handler = async |State(sender): State<tokio::sync::mpsc::Sender<String>>, call: Call| {
        let id = call.head().map(|head| head.id().to_owned()).unwrap_or_default();
        let _ = sender.send(id).await;
    };
    let responder = there.respond_with("flood", handler, sender).start().await?;
    let requester = here.requester().await?.deadline(Duration::from_secs(3));
    let mut answers = requester.request_many("flood", &(), Gather::new()).await?;
    let id = asked.recv().await.ok_or("it was asked")?;
    let answer = Envelope::new("reply", ()).with("causation_id", id.as_str()).to_payload()?;
    let flood = tokio::spawn({
        let requester = requester.clone();
        async move {
            let mut n_published = 0;
            loop {
                // No more than the inbox takes.
                let stats = requester.stats();
                if n_published < stats.answers + stats.dropped + stats.unknown + 1_000 {
                    let answers = (0..100).map(|_| (requester.inbox(), &answer));
                    there.publish_batch(answers).await;
                    n_published += 100;
                }
                tokio::task::yield_now().await;
            }
        }
    });
    // There is always one more to take.
    let (mut n_taken, begun) = (0, tokio::time::Instant::now());
    while let Some(answer) = answers.next().await {
        answer?;
        n_taken += 1;
        assert!(begun.elapsed() < PATIENCE, "it does not end");
        let more = || n_taken < requester.stats().answers + requester.stats().dropped;
        until("there is another", more).await?;
    }
    drop(answers);
    until("they still come", || 1_000 < requester.stats().unknown).await?;
    flood.abort();
    responder.stop().await;
    Ok(())
}

/// Whoever gathers has room for so many, and what comes to nobody is counted apart.
async fn answers_that_nobody_takes_are_dropped_and_counted(server: Server) -> TestResult {
    const N: usize = 100;
    let (here, there) = (server.connect().await?, server.connect().await?);
    let (sender, mut asked) = tokio::sync::mpsc::channel(1);
    let handler = async |State(sender): State<tokio::sync::mpsc::Sender<String>>, call: Call| {
        let id = call.head().map(|head| head.id().to_owned()).unwrap_or_default();
        let _ = sender.send(id).await;
    };
    let responder = there.respond_with("flood", handler, sender).start().await?;
    let requester = patient(&here).await?;
    let gather = Gather::new().queue_max(4);
    let mut answers = requester.request_many("flood", &(), gather).await?;
    let id = asked.recv().await.ok_or("it was asked")?;
    until("its own answer is there", || requester.stats().answers == 1).await?;
    let answer = Envelope::new("reply", ()).with("causation_id", id.as_str()).to_payload()?;
    let flood = async |n: usize| {
        let flood = there.publish_batch((0..n).map(|_| (requester.inbox(), &answer))).await;
        assert!(flood.iter().all(Result::is_ok), "{flood:?}");
    };
    flood(N).await;
    until("all have come", || requester.stats().answers + requester.stats().dropped == 101).await?;
    assert_eq!((requester.stats().answers, requester.stats().dropped), (4, 97));
    for _ in 0..4 {
        answers.next().await.ok_or("it was there")??;
    }
    // There is room again.
    flood(2).await;
    until("two more have come", || requester.stats().answers == 6).await?;
    // What was not taken is nobody's then, and what comes later neither.
    drop(answers);
    flood(1).await;
    until("one came for nobody", || requester.stats().unknown == 1).await?;
    let stats = requester.stats();
    assert_eq!((stats.answers, stats.dropped, stats.waiting), (4, 99, 0));
    responder.stop().await;
    Ok(())
}

async fn the_older_protocol_will_do(server: Server) -> TestResult {
    let fanfare = Fanfare::connect(&format!("{}?protocol=2", server.url())).await?;
    let responder = fanfare.respond("echo", async |Json(n): Json<u32>| Json(n)).start().await?;
    let requester = patient(&fanfare).await?;
    assert_eq!(requester.request("echo", &1).await?.json::<u32>()?, 1);
    responder.stop().await;
    Ok(())
}
