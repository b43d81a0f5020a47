-- The four views, over `catalogue`: the same text for DuckDB, Polars and SQLite (docs/schema.md says what each is).
CREATE VIEW opeds AS
  SELECT * FROM catalogue WHERE role = 'primary' AND is_latest AND listed;
CREATE VIEW places AS
  SELECT oped_id, article_id, role, source, canonical_url, headline, published_at, published_day, first_seen,
  gone_at, aliases FROM catalogue WHERE is_latest;
CREATE VIEW versions AS
  SELECT article_id, content16, cite_as, oped_id, is_latest, first_seen, previous, kind_of_change, words_added,
  words_removed, headline, text, text_ko, correction_note FROM catalogue;
CREATE VIEW corrections AS
  SELECT after.article_id, after.oped_id, after.previous, after.content16, after.first_seen AS seen,
  after.kind_of_change, after.words_added, after.words_removed, before.headline AS headline_previous,
  after.headline AS headline, before.text AS text_previous, after.text AS text, after.correction_note FROM
  catalogue AS after JOIN catalogue AS before ON after.article_id = before.article_id AND after.previous =
  before.content16 WHERE after.kind_of_change <> 'read_by_other_rules';
