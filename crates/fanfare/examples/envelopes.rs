//! Events on a channel and in a stream, with what others must not see taken out, compressed if that pays:
//! `cargo run -p fanfare --features gzip --example envelopes [URL]`. Without a URL, on an embedded broker.

use fanfare::{Algorithm, Channel, Compression, Envelope, Fanfare, Pattern, Redaction, Sealed};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Login {
    email: String,
    password: String,
    agent: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fanfare::Error> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "embedded:".to_owned());
    let fanfare = Fanfare::connect(&url).await?;
    let application = format!("example{}", std::process::id());

    // A user's id is one segment, whatever it contains: nobody listens to others by being called `*`.
    let channel = Channel::new(application.clone()).segment("user")?.segment("*")?;
    let pattern = Pattern::new(&application).segment("user")?.any();
    let mut events = fanfare.psubscribe([pattern]).await?;

    let redaction = Redaction::names(["password"]).path("email");
    let compression = Compression::new(Algorithm::Gzip)?.threshold(256);
    let (email, password) = ("ada@example.org".to_owned(), "secret".to_owned());
    let login = Login { email, password, agent: "x".repeat(1_000) };
    let login = Envelope::new("user.login", login).source("auth_service");
    let sealed = login.seal()?.redact(&redaction)?.compress(&compression)?;
    println!("{} bytes of {}", sealed.body().len(), login.seal()?.body().len());

    fanfare.publish(channel, sealed.to_payload()?).await?;
    let stream = fanfare.stream(format!("{application}:events"));
    stream.add(sealed.to_fields()?).await?;

    if let Some(message) = events.next().await {
        let event: Envelope<Login> =
            Sealed::from_payload(&message.payload)?.decompress(1 << 20)?.open()?;
        println!("{}: {} for {}", message.channel_name(), event.head.kind(), event.data.email);
    }
    for entry in stream.range(.., None).await? {
        let event: Envelope<Login> = Sealed::from_entry(&entry)?.decompress(1 << 20)?.open()?;
        println!("stream: made by {}, password {}", event.head.source(), event.data.password);
    }
    Ok(())
}
