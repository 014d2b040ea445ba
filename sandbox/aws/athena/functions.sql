-- Trino's functions that DuckDB lacks or understands differently, as macros named t_<function>.
-- The rules in dialect.py, arithmetic.py and dates.py call them.

CREATE MACRO t_substr(s, a, n := NULL) AS
  CASE WHEN a = 0 OR a < -length(s) THEN '' WHEN n IS NULL THEN substring(s, a) ELSE substring(s, a, n) END;

-- Integers whose types are known only when the query runs.
CREATE MACRO t_div(a, b) AS
  CASE WHEN contains(typeof(a), 'INT') AND contains(typeof(b), 'INT') THEN CAST(a AS BIGINT) // CAST(b AS BIGINT)
    ELSE a / b END;
CREATE MACRO t_decimal_div(a, b, s) AS
  CASE WHEN b = 0 THEN error('Division by zero') ELSE round(CAST(a AS DOUBLE) / CAST(b AS DOUBLE), s) END;

CREATE MACRO t_subscript(a, i) AS CASE
  WHEN i = 0 THEN error('SQL array indices start at 1')
  WHEN i < 0 THEN error('Array subscript is negative: ' || i)
  WHEN i > len(a) THEN
    error('Array subscript must be less than or equal to array length: ' || i || ' > ' || len(a))
  ELSE list_extract(a, i) END;
CREATE MACRO t_map_subscript(m, k) AS
  CASE WHEN m IS NOT NULL AND NOT map_contains(m, k) THEN error('Key not present in map: ' || k) ELSE m[k] END;

-- JSON: text that is not JSON gives NULL instead of an error. Neither AND nor CASE is sure to guard what stands behind
-- it: DuckDB turns conditions round and evaluates constants early.
CREATE MACRO t_valid(j) AS CASE WHEN json_valid(j) THEN j END;
CREATE MACRO t_json(j, p) AS t_valid(j) -> p;
CREATE MACRO t_json_scalar(j, p) AS CASE WHEN json_type(t_valid(j), p) NOT IN ('OBJECT', 'ARRAY') THEN t_valid(j) ->> p END;
CREATE MACRO t_json_length(j) AS
  CASE WHEN json_type(t_valid(j)) = 'ARRAY' THEN CAST(json_array_length(t_valid(j)) AS BIGINT) END;
CREATE MACRO t_json_size(j, p) AS CASE json_type(j, p)
  WHEN 'ARRAY' THEN CAST(json_array_length(j, p) AS BIGINT)
  WHEN 'OBJECT' THEN CAST(len(json_keys(j, p)) AS BIGINT)
  ELSE 0 END;
CREATE MACRO t_json_contains(j, v) AS CASE WHEN json_type(t_valid(j)) = 'ARRAY'
  THEN list_contains(CAST(CAST(t_valid(j) AS JSON) AS JSON[]), CAST(to_json(v) AS JSON)) END;
CREATE MACRO t_is_json_scalar(j) AS json_type(j) NOT IN ('OBJECT', 'ARRAY');

-- Arrays and maps. Of the values of one key, map_agg keeps the first.
CREATE MACRO t_cardinality(x) AS CASE
  WHEN json_type(to_json(x)) = 'ARRAY' THEN CAST(json_array_length(to_json(x)) AS BIGINT)
  ELSE CAST(len(json_keys(to_json(x))) AS BIGINT) END;
CREATE MACRO t_first_of_key(l) AS
  list_filter(l, lambda x, i: list_position(list_transform(l, lambda y: y.k), x.k) = i);
CREATE MACRO t_map_agg(a, b) AS
  map_from_entries(t_first_of_key(list({'k': a, 'v': b}) FILTER (WHERE a IS NOT NULL)));
CREATE MACRO t_array_union(a, b) AS list_distinct(list_concat(a, b));

-- Text and times.
CREATE MACRO t_regexp_extract(s, p, g) AS CASE WHEN regexp_matches(s, p) THEN regexp_extract(s, p, g) END;
CREATE MACRO t_timestamp_text(x) AS strftime(x, '%Y-%m-%d %H:%M:%S.%g');
CREATE MACRO t_timestamptz_text(x) AS strftime(CAST(x AS TIMESTAMP), '%Y-%m-%d %H:%M:%S.%g') || ' UTC';
CREATE MACRO t_iso8601(x) AS CASE typeof(x)
  WHEN 'DATE' THEN strftime(x, '%Y-%m-%d')
  WHEN 'TIMESTAMP WITH TIME ZONE' THEN strftime(CAST(x AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%gZ')
  ELSE strftime(x, '%Y-%m-%dT%H:%M:%S.%g') END;

-- Numbers. The distance is in km on Trino's sphere of 6371.01 km.
CREATE MACRO t_width_bucket(x, lo, hi, n) AS CAST(CASE
  WHEN x < lo THEN 0
  WHEN x >= hi THEN n + 1
  ELSE floor((x - lo) / CAST(hi - lo AS DOUBLE) * n) + 1 END AS BIGINT);
CREATE MACRO t_great_circle_distance(a, b, c, d) AS
  6371.01 * 2 * asin(sqrt(pow(sin(radians(c - a) / 2), 2)
    + cos(radians(a)) * cos(radians(c)) * pow(sin(radians(d - b) / 2), 2)));

-- URLs: NULL when the part is not there.
CREATE MACRO t_url(u, p) AS CASE WHEN regexp_matches(u, p) THEN regexp_extract(u, p, 1) END;
CREATE MACRO t_url_extract_protocol(u) AS t_url(u, '^([A-Za-z][A-Za-z0-9+.-]*):');
CREATE MACRO t_url_extract_host(u) AS t_url(u, '^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?([^/?#:]*)');
CREATE MACRO t_url_extract_path(u) AS t_url(u, '^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*([^?#]*)');
CREATE MACRO t_url_extract_query(u) AS t_url(u, '^[^?#]*[?]([^#]*)');
CREATE MACRO t_url_extract_parameter(u, n) AS
  t_url(u, '^[^?#]*[?](?:[^#]*&)?' || regexp_escape(n) || '=([^&#]*)');
