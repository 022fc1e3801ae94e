//! Finds what is wrong with a broker, and says what mends it:
//! `cargo run -p fanfare --example doctor [URL]`. Without a URL, of an embedded broker.

use fanfare::doctor::{AILMENTS, Doctor};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fanfare::Error> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "embedded:".to_owned());
    let diagnosis = Doctor::new(&url).examine().await?;
    for finding in &diagnosis.findings {
        println!("{} {}: {}", finding.severity, finding.name, finding.evidence);
        println!("  {}", finding.consequence);
        println!("  {}", finding.command.as_deref().unwrap_or(&finding.cure));
    }
    for unseen in &diagnosis.blind {
        println!("not seen: {}, since {}", unseen.what, unseen.why);
    }
    println!("{} of {} ailments", diagnosis.findings.len(), AILMENTS.len());
    Ok(())
}
