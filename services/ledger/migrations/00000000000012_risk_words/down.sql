drop table risk_words;
drop function risk_words_fit();
