import GRDB

/// The tables, as numbered migrations. A migration that has been released is never changed.
enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { database in
            try database.execute(sql: version1)
        }
        migrator.registerMigration("2") { database in
            try database.execute(sql: version2)
        }
        migrator.registerMigration("3") { database in
            try database.execute(sql: version3)
        }
        migrator.registerMigration("4") { database in
            try database.execute(sql: version4)
        }
        migrator.registerMigration("5") { database in
            try database.execute(sql: version5)
        }
        migrator.registerMigration("6") { database in
            try database.execute(sql: version6)
        }
        migrator.registerMigration("7") { database in
            try database.execute(sql: version7)
        }
        return migrator
    }

    private static let version1 = """
        -- A model as vectors know it: weights, manifest, precision and reading of photos in one digest.
        CREATE TABLE model (
            id        INTEGER PRIMARY KEY,
            identity  BLOB NOT NULL UNIQUE CHECK (length(identity) = 32),
            name      TEXT NOT NULL,
            precision TEXT NOT NULL,
            dimension INTEGER NOT NULL CHECK (dimension > 0)
        ) STRICT;

        -- A photo in the folder. bytes and mtime_ns are of the version that digest or reason speak of.
        CREATE TABLE image (
            path         TEXT PRIMARY KEY,
            product      TEXT NOT NULL,
            bytes        INTEGER NOT NULL,
            mtime_ns     INTEGER NOT NULL,
            state        TEXT NOT NULL CHECK (state IN ('ready', 'failed')),
            digest       BLOB CHECK (length(digest) = 32),
            reason       TEXT,
            attempts     INTEGER NOT NULL DEFAULT 0,
            -- The rules of reading under which it failed; under other rules it is tried again. NULL: always.
            failed_under TEXT,
            CHECK ((state = 'ready') = (digest IS NOT NULL)),
            CHECK ((state = 'failed') = (reason IS NOT NULL))
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX image_product ON image (product);
        CREATE INDEX image_digest ON image (digest) WHERE digest IS NOT NULL;

        -- float32 little-endian, unit length: what sqlite-vec reads. A rowid table, for the rows are large.
        CREATE TABLE embedding (
            model  INTEGER NOT NULL REFERENCES model (id) ON DELETE CASCADE,
            digest BLOB NOT NULL CHECK (length(digest) = 32),
            vector BLOB NOT NULL,
            PRIMARY KEY (model, digest)
        ) STRICT;

        CREATE TABLE product (
            id TEXT PRIMARY KEY
        ) STRICT, WITHOUT ROWID;

        -- rank counts from 1, the most similar first.
        CREATE TABLE neighbour (
            product   TEXT NOT NULL REFERENCES product (id) ON DELETE CASCADE,
            rank      INTEGER NOT NULL CHECK (rank > 0),
            neighbour TEXT NOT NULL,
            score     REAL NOT NULL,
            PRIMARY KEY (product, rank)
        ) STRICT, WITHOUT ROWID;

        -- What each product's file holds on disk now, and whether it has to be looked at again.
        CREATE TABLE publication (
            product TEXT PRIMARY KEY,
            digest  BLOB CHECK (length(digest) = 32),
            is_due  INTEGER NOT NULL CHECK (is_due IN (0, 1))
        ) STRICT, WITHOUT ROWID;

        -- One row: what the neighbour table was computed for, and whether photos have changed since.
        CREATE TABLE ranking (
            id     INTEGER PRIMARY KEY CHECK (id = 1),
            model  INTEGER REFERENCES model (id) ON DELETE SET NULL,
            count  INTEGER NOT NULL,
            is_due INTEGER NOT NULL CHECK (is_due IN (0, 1))
        ) STRICT;
        INSERT INTO ranking VALUES (1, NULL, 0, 1);
        """

    private static let version2 = """
        -- Products whose photos have changed since the neighbour table was computed.
        CREATE TABLE unranked (
            product TEXT PRIMARY KEY
        ) STRICT, WITHOUT ROWID;
        INSERT INTO unranked SELECT DISTINCT product FROM image
            WHERE state = 'ready' AND (SELECT is_due FROM ranking);
        ALTER TABLE ranking DROP COLUMN is_due;

        -- How often the files of the output folder have changed.
        ALTER TABLE ranking ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;

        -- Whether removals are held back until somebody confirms or the photos are back.
        ALTER TABLE ranking ADD COLUMN is_held_back INTEGER NOT NULL DEFAULT 0 CHECK (is_held_back IN (0, 1));

        -- One row: when the whole folder was last compared, in seconds since 1970, and what was found, as JSON.
        CREATE TABLE last_reconcile (
            id       INTEGER PRIMARY KEY CHECK (id = 1),
            ended_at REAL NOT NULL,
            report   TEXT NOT NULL
        ) STRICT;

        -- Which documents name a product.
        \(neighbourIndex);
        CREATE INDEX publication_due ON publication (is_due) WHERE is_due = 1;
        """

    /// Part of a released migration, so it is never changed.
    static let neighbourIndex = "CREATE INDEX neighbour_neighbour ON neighbour (neighbour)"

    private static let version3 = """
        -- The neighbour table as it is computed, deeper than what is published. entries: the nearest first, 8 bytes
        -- each, little-endian: slot (int32), score (float32). The vector of slot s is row s of the model's vectors
        -- file; its digest tells whether the row is whole and of this product.
        CREATE TABLE pool (
            model   INTEGER NOT NULL REFERENCES model (id) ON DELETE CASCADE,
            slot    INTEGER NOT NULL CHECK (slot >= 0),
            product TEXT NOT NULL,
            digest  BLOB NOT NULL CHECK (length(digest) = 32),
            entries BLOB NOT NULL,
            PRIMARY KEY (model, slot),
            UNIQUE (model, product)
        ) STRICT, WITHOUT ROWID;

        -- Whether pools hold what neighbour rows do not show yet: computing them was interrupted, or never done.
        ALTER TABLE model ADD COLUMN is_ahead INTEGER NOT NULL DEFAULT 1 CHECK (is_ahead IN (0, 1));
        """

    private static let version4 = """
        -- How the model is found again, as JSON; NULL where an older version noted it.
        ALTER TABLE model ADD COLUMN recipe TEXT;

        -- The model that is to take over when all photos have a vector of it; NULL where none is.
        ALTER TABLE ranking ADD COLUMN next INTEGER REFERENCES model (id) ON DELETE SET NULL;

        -- The model that the files in the output folder are of; NULL where that is not known.
        ALTER TABLE ranking ADD COLUMN published INTEGER REFERENCES model (id) ON DELETE SET NULL;
        UPDATE ranking SET published = model;
        """

    private static let version5 = """
        -- What may lie in the output folder, words with spaces between them: layouts of files, and what else is written
        -- there. A word is added before the first file of its kind is written; when all are in place, only those of the
        -- last form are left.
        ALTER TABLE ranking ADD COLUMN published_parts TEXT NOT NULL DEFAULT 'products';

        -- The SHA-256 of all that the form of all files is made by; NULL where that is not known.
        ALTER TABLE ranking ADD COLUMN published_form BLOB CHECK (length(published_form) = 32);
        """

    private static let version6 = """
        -- Products whose file has changed or gone and whom the hook has not been told of. A product that changes again
        -- gets a higher number.
        CREATE TABLE hook_change (
            product TEXT PRIMARY KEY,
            number  INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        """

    private static let version7 = """
        -- Products whose lists are to be made again: their neighbours, their photos or their attributes may be others, or those
        -- of a product that they may name.
        CREATE TABLE unrecommended (
            product TEXT PRIMARY KEY
        ) STRICT, WITHOUT ROWID;

        -- What the shop's table says of a product: a line for each attribute, its name and its value with a tab between
        -- them. \\t, \\n, \\0 and \\\\ stand for a tab, the end of a line, the character 0 and \\. digest: the SHA-256 of that.
        CREATE TABLE attribute (
            product    TEXT PRIMARY KEY,
            digest     BLOB NOT NULL CHECK (length(digest) = 32),
            attributes TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;

        -- Of the file that these are from: the SHA-256 of its bytes' SHA-256 and of how they are read; NULL where there is none.
        ALTER TABLE ranking ADD COLUMN attributes_file BLOB CHECK (length(attributes_file) = 32);
        """
}
