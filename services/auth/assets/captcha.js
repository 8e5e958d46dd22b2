// Shows the widget the way to its worker, and says what happens: a computation, which tells nobody from a robot. Both are served by us, and nothing
// is loaded from elsewhere.
import '/altcha.js'

const { algorithms, i18n } = globalThis.$altcha
algorithms.set('PBKDF2/SHA-256', () => new Worker('/altcha-pbkdf2.js'))
i18n.set('en', {
  ...i18n.get('en'),
  label: 'Do a short computation',
  verifying: 'Your browser computes …',
  verified: 'Computed',
  waitAlert: 'Your browser still computes. Please wait a moment.',
  verificationRequired: 'This has to be done first.',
  error: 'Your browser could not do it. Please load this page again.',
  expired: 'Two minutes are over. Send the form, and the page comes with a new one.',
})
