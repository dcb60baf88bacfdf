-- The features of the log, as features/query.py, features/item.py and features/pair.py define them.
-- bench/log_features_duckdb.py fills in what stands in braces. A day is a number, the effective one of
-- an event; counts are whole numbers, fractions whole millionths (see features/log/history.py).

CREATE MACRO to_day(moment) AS CAST(CAST(moment AS DATE) - DATE '1970-01-01' AS INT);
CREATE MACRO to_date(day) AS DATE '1970-01-01' + CAST(day AS INT);
CREATE MACRO smooth(events, trials, prior_rate) AS CAST(
    coalesce((events + ${strength} * prior_rate) / (trials + ${strength}), 0) AS FLOAT);
CREATE MACRO rate(events, trials) AS coalesce(events / nullif(trials, 0), 0);

CREATE TEMP TABLE catalogue AS
SELECT item_id, title, price, brand, item_type, listed_on, coalesce(item_type, '') AS type_name
FROM read_parquet(${items});

-- What was visible at the run date; the column of an event is the day from which it is known.
CREATE TEMP TABLE log AS
WITH dated AS (
    SELECT search_id, query_id, item_id, region, propensity, price,
        least(position, ${max_position}) AS position,
        to_day(event_time) AS happened, to_day(greatest(event_time, known_at)) AS shown,
        CASE WHEN clicked
            THEN to_day(greatest(event_time, known_at, clicked_known_at)) END AS clicked,
        CASE WHEN carted
            THEN to_day(greatest(event_time, known_at, carted_known_at, carted_at)) END AS carted,
        CASE WHEN purchased THEN to_day(
            greatest(event_time, known_at, purchased_known_at, purchased_at)) END AS purchased
    FROM read_parquet(${impressions})
)
SELECT search_id, query_id, dated.item_id, region, position, happened, shown,
    CASE WHEN clicked < ${today} THEN clicked END AS clicked,
    CASE WHEN carted < ${today} THEN carted END AS carted,
    CASE WHEN purchased < ${today} THEN purchased END AS purchased,
    catalogue.item_id IS NOT NULL AS offered,
    CAST(round(1e6 * least(coalesce(1 / propensity, 1), ${cap})) AS BIGINT) AS weight,
    CAST(round(1e6 * ln(dated.price / coalesce(catalogue.price, 1))) AS BIGINT) AS price_ratio,
    CAST(catalogue.price IS NOT NULL AS BIGINT) AS priced
FROM dated LEFT JOIN catalogue ON catalogue.item_id = dated.item_id
WHERE shown < ${today};

CREATE TEMP VIEW events AS
SELECT *, shown AS day, 1 AS impressions, CAST(coalesce(clicked = shown, false) AS INT) AS clicks,
    0 AS carts, 0 AS purchases
FROM log WHERE offered
UNION ALL SELECT *, clicked, 0, 1, 0, 0 FROM log WHERE offered AND clicked > shown
UNION ALL SELECT *, carted, 0, 0, 1, 0 FROM log WHERE offered AND carted IS NOT NULL
UNION ALL SELECT *, purchased, 0, 0, 0, 1 FROM log WHERE offered AND purchased IS NOT NULL;

-- Position 1 has a row on every day, whatever was shown there.
CREATE TEMP TABLE examination AS
WITH placed AS (
    SELECT day, position, weight * impressions AS shown, weight * clicks AS clicked FROM events
    UNION ALL SELECT DISTINCT day, 1, 0, 0 FROM events
), counted AS (
    SELECT position, day, sum(shown) AS shown, sum(clicked) AS clicked FROM placed GROUP BY ALL
), summed AS (
    SELECT position, day, coalesce(sum(shown) OVER past, 0) AS shown,
        coalesce(sum(clicked) OVER past, 0) AS clicked
    FROM counted
    WINDOW past AS (
        PARTITION BY position ORDER BY day RANGE BETWEEN 28 PRECEDING AND 1 PRECEDING)
), topped AS (
    SELECT *, pow(position, -${power}) AS prior, max(CASE WHEN position = 1 AND shown > 0
        THEN clicked / shown END) OVER (PARTITION BY day) AS top
    FROM summed
)
SELECT day, position, CAST(round(1e6 * greatest(0.01, least(1.0, CASE WHEN top > 0
    THEN (clicked / 1e6 + ${strength} * top * prior) / ((shown / 1e6 + ${strength}) * top)
    ELSE prior END))) AS BIGINT) AS examination
FROM topped;

CREATE TEMP TABLE daily AS
SELECT query_id, item_id, region, day,
    CAST(sum(impressions) AS BIGINT) AS impressions, CAST(sum(clicks) AS BIGINT) AS clicks,
    CAST(sum(carts) AS BIGINT) AS carts, CAST(sum(purchases) AS BIGINT) AS purchases,
    CAST(sum(impressions * examination) AS BIGINT) AS examined,
    CAST(sum(impressions * price_ratio) AS BIGINT) AS price_ratio,
    CAST(sum(impressions * priced) AS BIGINT) AS priced
FROM events JOIN examination USING (day, position)
GROUP BY ALL;

CREATE TEMP TABLE spine AS
SELECT DISTINCT query_id, item_id, region, happened AS day FROM log WHERE happened >= ${since}
UNION ALL
SELECT query_id, item_id, region, ${today} FROM read_parquet(${candidates})
WHERE run_date = to_date(${today});

CREATE TEMP TABLE priors AS
WITH asked AS (
    SELECT day, unnest(${regions}) AS region FROM (SELECT DISTINCT day FROM spine)
), past AS (
    SELECT region, day,
        sum(COLUMNS('^(impressions|clicks|carts|purchases|examined|price_ratio|priced)'))
    FROM daily GROUP BY region, day
), summed AS (
    SELECT asked.day, asked.region, coalesce(sum(impressions), 0) AS impressions,
        coalesce(sum(clicks), 0) AS clicks, coalesce(sum(carts), 0) AS carts,
        coalesce(sum(purchases), 0) AS purchases, coalesce(sum(examined), 0) AS examined
    FROM asked LEFT JOIN past
        ON past.region = asked.region AND past.day BETWEEN asked.day - 28 AND asked.day - 1
    GROUP BY ALL
)
SELECT day, region, rate(clicks, impressions) AS prior_ctr,
    rate(carts, impressions) AS prior_cart_rate, rate(purchases, impressions) AS prior_purchase_rate,
    rate(sum(clicks) OVER d, sum(impressions) OVER d) AS all_ctr,
    rate(sum(carts) OVER d, sum(impressions) OVER d) AS all_cart_rate,
    rate(sum(purchases) OVER d, sum(impressions) OVER d) AS all_purchase_rate,
    rate(sum(clicks) OVER d, sum(examined) OVER d / 1e6) AS all_debiased_ctr
FROM summed WINDOW d AS (PARTITION BY day);

-- Of each table: the days asked for are added to the counts as zeros, and summed with them.
COPY (
    WITH asked AS (SELECT DISTINCT query_id, day FROM spine),
    pages AS (SELECT query_id, min(shown) AS day FROM log GROUP BY query_id, search_id),
    by_day AS (
        SELECT query_id, day, max(asked) AS asked,
            sum(COLUMNS('^(impressions|clicks|carts|purchases|pages)'))
        FROM (
            SELECT query_id, day, impressions, clicks, carts, purchases, 0 AS pages, 0 AS asked
            FROM daily
            UNION ALL SELECT query_id, day, 0, 0, 0, 0, 1, 0 FROM pages
            UNION ALL SELECT query_id, day, 0, 0, 0, 0, 0, 1 FROM asked
        ) GROUP BY query_id, day
    ), measured AS (
        SELECT query_id, day, coalesce(
            sum(COLUMNS('^(impressions|clicks|carts|purchases|pages)')) OVER past, 0)
        FROM by_day
        WINDOW past AS (
            PARTITION BY query_id ORDER BY day RANGE BETWEEN 28 PRECEDING AND 1 PRECEDING)
        QUALIFY asked = 1
    ), typed AS (
        SELECT query_id, type_name, day, sum(clicks) AS clicks
        FROM daily JOIN catalogue USING (item_id) WHERE clicks > 0 GROUP BY ALL
    ), by_type AS (
        SELECT asked.query_id, asked.day, type_name, sum(clicks) AS clicks
        FROM asked JOIN typed ON typed.query_id = asked.query_id
            AND typed.day BETWEEN asked.day - 28 AND asked.day - 1
        GROUP BY ALL
    ), entropy AS (
        SELECT query_id, day, greatest(
            ln(sum(clicks)) - sum(clicks * ln(clicks)) / sum(clicks), 0) AS entropy
        FROM by_type GROUP BY ALL
    )
    SELECT to_date(${today}) AS run_date, to_date(day) AS as_of_date, query_id, region,
        CAST(ln(1 + pages) AS FLOAT) AS query_traffic_28d,
        CAST(coalesce(entropy, 0) AS FLOAT) AS query_type_entropy,
        smooth(clicks, impressions, prior_ctr) AS query_ctr_28d,
        smooth(carts, impressions, prior_cart_rate) AS query_cart_rate_28d,
        smooth(purchases, impressions, prior_purchase_rate) AS query_purchase_rate_28d
    FROM measured JOIN read_parquet(${queries}) USING (query_id)
        LEFT JOIN entropy USING (query_id, day) LEFT JOIN priors USING (day, region)
) TO ${query_out} (FORMAT parquet);

COPY (
    WITH asked AS (SELECT DISTINCT item_id, region, day FROM spine),
    counted AS (
        SELECT item_id, region, day, impressions, clicks, carts, purchases, examined, price_ratio,
            0 AS asked
        FROM daily
        UNION ALL SELECT item_id, region, day, 0, 0, 0, 0, 0, 0, 1 FROM asked
    ), by_day AS (
        SELECT item_id, day, max(asked) AS asked,
            sum(COLUMNS('^(impressions|clicks|carts|purchases|examined)'))
        FROM counted GROUP BY item_id, day
    ), everywhere AS (
        SELECT item_id, day,
            coalesce(sum(COLUMNS('^(impressions|clicks|carts|purchases)')) OVER d1, 0) AS '\0_1d',
            coalesce(sum(COLUMNS('^(impressions|clicks|carts|purchases)')) OVER d7, 0) AS '\0_7d',
            coalesce(sum(COLUMNS('^(impressions|clicks|carts|purchases|examined)')) OVER d28, 0)
                AS '\0_28d'
        FROM by_day
        WINDOW d1 AS (PARTITION BY item_id ORDER BY day RANGE BETWEEN 1 PRECEDING AND 1 PRECEDING),
            d7 AS (PARTITION BY item_id ORDER BY day RANGE BETWEEN 7 PRECEDING AND 1 PRECEDING),
            d28 AS (PARTITION BY item_id ORDER BY day RANGE BETWEEN 28 PRECEDING AND 1 PRECEDING)
        QUALIFY asked = 1
    ), by_region AS (
        SELECT item_id, region, day, max(asked) AS asked,
            sum(COLUMNS('^(impressions|clicks|carts|purchases|price_ratio)'))
        FROM counted GROUP BY item_id, region, day
    ), regional AS (
        SELECT item_id, region, day, coalesce(sum(impressions) OVER past, 0) AS shown,
            coalesce(sum(clicks) OVER past, 0) AS clicked,
            ln(1 + coalesce(sum(clicks + carts + purchases) OVER past, 0)) AS popularity,
            sum(price_ratio) OVER past / nullif(sum(impressions) OVER past, 0) / 1e6 AS item_ratio
        FROM by_region
        WINDOW past AS (
            PARTITION BY item_id, region ORDER BY day RANGE BETWEEN 28 PRECEDING AND 1 PRECEDING)
        QUALIFY asked = 1
    ), levels AS (
        SELECT asked.day, asked.region, rate(sum(price_ratio), sum(priced)) / 1e6 AS price_level
        FROM (SELECT DISTINCT day, region FROM asked) AS asked LEFT JOIN (
            SELECT region, day, sum(price_ratio) AS price_ratio, sum(priced) AS priced
            FROM daily WHERE priced > 0 GROUP BY ALL
        ) AS past ON past.region = asked.region
            AND past.day BETWEEN asked.day - 28 AND asked.day - 1
        GROUP BY ALL
    ), ordered AS (
        SELECT type_name, list(price ORDER BY price) AS prices
        FROM catalogue WHERE price IS NOT NULL GROUP BY ALL
    ), steps AS (  -- the price at rank ceil(share * n), from 1, as Spark's quantiles have it
        SELECT type_name, list_transform(range(${steps} + 1), lambda step: prices[greatest(
            1, CAST(ceil(step / ${steps} * len(prices)) AS BIGINT))]) AS price_steps
        FROM ordered
    ), median AS (
        SELECT list(price ORDER BY price)[CAST(ceil(0.5 * count(price)) AS BIGINT)] AS median_price
        FROM catalogue WHERE price IS NOT NULL
    ), levelled AS (
        SELECT *, ln(coalesce(price, 1)) + coalesce(
                item_ratio, CASE WHEN price IS NOT NULL THEN price_level END) AS log_price,
            exp(log_price - price_level) AS level_off
        FROM asked JOIN regional USING (item_id, region, day) JOIN everywhere USING (item_id, day)
            JOIN catalogue USING (item_id) LEFT JOIN steps USING (type_name)
            LEFT JOIN levels USING (day, region) CROSS JOIN median
    )
    SELECT to_date(${today}) AS run_date, to_date(day) AS as_of_date, item_id, region,
        CASE WHEN length(trim(brand)) > 0
            THEN hash(lower(trim(brand))) % (${buckets} - 1) + 1 ELSE 0 END AS item_brand,
        CASE WHEN length(trim(item_type)) > 0
            THEN hash(lower(trim(item_type))) % (${buckets} - 1) + 1 ELSE 0 END AS item_type,
        CAST(coalesce(log_price, 0) AS FLOAT) AS item_log_price,
        CAST(coalesce((
            len(list_filter(price_steps, lambda step: step < level_off * (1 - 1e-6)))
            + len(list_filter(price_steps, lambda step: step < level_off * (1 + 1e-6)))
        ) / (2 * len(price_steps)), 0.5) AS FLOAT) AS item_price_percentile,
        CAST(coalesce(log_price - price_level - ln(median_price), 0) AS FLOAT)
            AS item_price_vs_median,
        CAST(ln(1 + greatest(day - to_day(listed_on), 0)) AS FLOAT) AS item_age_days,
        CAST(length(title) AS FLOAT) AS item_title_chars,
        CAST(ln(1 + COLUMNS('^(impressions|clicks|carts|purchases)_.+d')) AS FLOAT) AS 'item_\0',
        smooth(clicks_1d, impressions_1d, all_ctr) AS item_ctr_1d,
        smooth(clicks_7d, impressions_7d, all_ctr) AS item_ctr_7d,
        smooth(clicks_28d, impressions_28d, all_ctr) AS item_ctr_28d,
        smooth(carts_1d, impressions_1d, all_cart_rate) AS item_cart_rate_1d,
        smooth(carts_7d, impressions_7d, all_cart_rate) AS item_cart_rate_7d,
        smooth(carts_28d, impressions_28d, all_cart_rate) AS item_cart_rate_28d,
        smooth(purchases_1d, impressions_1d, all_purchase_rate) AS item_purchase_rate_1d,
        smooth(purchases_7d, impressions_7d, all_purchase_rate) AS item_purchase_rate_7d,
        smooth(purchases_28d, impressions_28d, all_purchase_rate) AS item_purchase_rate_28d,
        smooth(clicks_28d, examined_28d / 1e6, all_debiased_ctr) AS item_debiased_ctr_28d,
        CAST(popularity AS FLOAT) AS item_region_popularity,
        smooth(clicked, shown, prior_ctr) AS item_region_ctr_28d
    FROM levelled LEFT JOIN priors USING (day, region)
) TO ${item_out} (FORMAT parquet);

COPY (
    WITH by_day AS (
        SELECT query_id, item_id, day, max(asked) AS asked,
            sum(COLUMNS('^(impressions|clicks|carts|purchases)'))
        FROM (
            SELECT query_id, item_id, day, impressions, clicks, carts, purchases, 0 AS asked
            FROM daily
            UNION ALL SELECT query_id, item_id, day, 0, 0, 0, 0, 1 FROM spine
        ) GROUP BY query_id, item_id, day
    ), measured AS (
        SELECT query_id, item_id, day, coalesce(
            sum(COLUMNS('^(impressions|clicks|carts|purchases)')) OVER past, 0)
        FROM by_day
        WINDOW past AS (
            PARTITION BY query_id, item_id ORDER BY day RANGE BETWEEN 28 PRECEDING AND 1 PRECEDING)
        QUALIFY asked = 1
    )
    SELECT to_date(${today}) AS run_date, to_date(day) AS as_of_date, query_id, item_id,
        CAST(ln(1 + impressions) AS FLOAT) AS pair_impressions_28d,
        smooth(clicks, impressions, prior_ctr) AS pair_ctr_28d,
        smooth(carts, impressions, prior_cart_rate) AS pair_cart_rate_28d,
        smooth(purchases, impressions, prior_purchase_rate) AS pair_purchase_rate_28d
    FROM measured JOIN read_parquet(${queries}) USING (query_id)
        LEFT JOIN priors USING (day, region)
) TO ${pair_out} (FORMAT parquet);
