//! `attestation api-key APP PLATFORM`: makes an API key for an app, and prints what goes into the app and what goes into the register.
//!
//! Nothing is stored: the operator puts the entry into the register of apps (`defense.apps_file`) of each service, which reads it within seconds.

use anyhow::{Context as _, Result};
use api::AppId;
use api::attestation::Platform;
use defense::ApiKey;
use runtime::Clock as _;

use crate::config::Config;

/// Which app gets a key.
#[derive(Debug, clap::Args)]
pub struct NewKey {
    /// Package name or bundle id
    app: AppId,
    /// `android` or `ios`
    platform: Platform,
    /// The services that it may be sent to
    #[arg(long, value_delimiter = ',', default_value = "attestation,auth,ledger")]
    services: Vec<String>,
    /// Days until it is not accepted any more
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u16).range(1..))]
    days: u16,
}

/// Makes one.
#[expect(clippy::print_stdout, reason = "the output of a subcommand")]
pub(crate) fn run(config: &Config, wanted: &NewKey) -> Result<()> {
    let pepper = config.defense.api_key_pepper_file.as_ref();
    let pepper = pepper.context("API keys are stored under a key of their own: set defense.api_key_pepper_file")?;
    let (key, pepper) = (ApiKey::generate(), crypto::files::read_secret(pepper)?);
    println!("{}", text(&key, pepper.expose(), wanted, runtime::SystemClock.unix()));
    Ok(())
}

fn text(key: &ApiKey, pepper: &[u8], wanted: &NewKey, now: i64) -> String {
    let NewKey { app, platform, services, days } = wanted;
    let mac = hex::encode(key.mac(pepper));
    let not_after = now.saturating_add(i64::from(*days).saturating_mul(86_400));
    format!(
        "# For the app. It is in every copy of it, and no secret: {}\n\
         # For the register, under [[app]] id = {:?}, platform = {:?}:\n\
         [[app.key]]\nid = \"{}\"\nmac = \"{mac}\"\nservices = {services:?}\nnot_after = {not_after}",
        key.text().expose(),
        app.as_str(),
        platform.as_ref(),
        key.id(),
    )
}

#[cfg(test)]
mod tests {
    use defense::AppRegister;

    use super::*;

    const PEPPER: &[u8] = b"pepper";

    #[test]
    fn what_is_printed_goes_into_the_register_and_the_key_is_good_then() {
        let key = ApiKey::generate();
        let services = vec!["ledger".to_owned()];
        let wanted = NewKey { app: "dev.app".into(), platform: Platform::Ios, services, days: 1 };
        let entry = text(&key, PEPPER, &wanted, 1_000);
        let app = "[[app]]\nid = \"dev.app\"\nplatform = \"ios\"\nminimum_build = \"1\"\n";
        let register = AppRegister::parse(&format!("{app}{entry}\n")).unwrap();
        let printed = entry.lines().next().unwrap().rsplit(' ').next().unwrap();
        let printed = ApiKey::parse(printed).unwrap();
        assert!(register.keyed(&printed, PEPPER, "ledger", 87_400).is_ok());
        assert!(register.keyed(&printed, PEPPER, "ledger", 87_401).is_err());
        assert!(register.keyed(&printed, PEPPER, "auth", 1_000).is_err());
    }
}
