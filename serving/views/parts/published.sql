    -- Which selection of dataset {dataset} readers get, the newest one or the newest before a pin. What it says is looked up
    -- under its id: a long value would be analysed, and be a part of the names of columns, wherever it is named.
    assumeNotNull((SELECT max({dataset}) FROM batch_selections{before_pin})) AS published
