// reCAPTCHA v3 shows nothing. It gives a token when it is asked for one, which is good for two minutes; so it is asked when the form is sent.
const token = document.querySelector('input[data-sitekey]')
const { sitekey, action } = token.dataset
token.form.addEventListener('submit', (event) => {
  if (token.value) return
  event.preventDefault()
  globalThis.grecaptcha.ready(async () => {
    token.value = await globalThis.grecaptcha.execute(sitekey, { action })
    // Not while this event is still under way: a form that is being sent is not sent again (HTML, "firing submission events").
    setTimeout(() => token.form.requestSubmit(event.submitter))
  })
})
