-- Minor units as the decimal that people write, exactly: multiplication of decimals, never division.
-- The lists of currencies are filled in from ISO 4217.
CREATE OR REPLACE MACRO report.to_amount(minor, currency) AS
    minor::DECIMAL(19, 0) * CASE
        WHEN currency IN ({{zero}}) THEN 1.0000::DECIMAL(5, 4)
        WHEN currency IN ({{three}}) THEN 0.0010::DECIMAL(5, 4)
        WHEN currency IN ({{four}}) THEN 0.0001::DECIMAL(5, 4)
        ELSE 0.0100::DECIMAL(5, 4)
    END
