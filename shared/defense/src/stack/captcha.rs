//! The layer *captcha*, where people log in.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use crypto::files;

use super::Stack;
use crate::CaptchaLayer;
use crate::captcha::siteverify::Broker;
use crate::captcha::{CaptchaConfig, Forms, Gate};

impl Stack<'_> {
    /// What asks for captchas, with the memory of this stack.
    ///
    /// # Errors
    ///
    /// Its key cannot be read, or a rate is none.
    pub fn captcha_gate(&self, config: &CaptchaConfig) -> Result<Arc<Gate>> {
        let key = files::read_key(&config.key_file)?;
        let (counters, used) = (Arc::clone(&self.counters), Arc::clone(&self.used));
        let wrong = |wrong| anyhow!("[captcha]: {wrong}");
        let mut gate = Gate::new(config, key.expose(), counters, used, &*self.context.clock).map_err(wrong)?;
        if let Some(siteverify) = &config.siteverify {
            let broker = Broker::new(self.context.clients.internal("broker")?, siteverify);
            gate = gate.with_siteverify(siteverify.clone(), Box::new(broker)).map_err(wrong)?;
        }
        Ok(Arc::new(gate))
    }

    /// Where people log in: captchas, on risk.
    #[must_use]
    pub fn captcha(mut self, gate: Arc<Gate>, forms: Arc<dyn Forms>) -> Self {
        self.layers.push(Box::new(CaptchaLayer::new(gate, forms)));
        self
    }
}
