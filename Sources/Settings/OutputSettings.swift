import Products
import StrictTOML

extension Settings {
    /// The files.
    package struct Output: TOMLSection {
        package enum Layout: String, CaseIterable, Sendable {
            case products, sharded, single
        }

        package enum Format: String, CaseIterable, Sendable {
            case pretty, compact
        }

        /// What a file may have beyond the paths of photos.
        package enum Field: String, CaseIterable, Sendable {
            /// All photos of a recommended product, not only the one that stands for it.
            case images
            /// The SHA-256 of each photo.
            case digests
        }

        @Key(
            required: "folder", .path, example: "/srv/shop/site/static/recommendations",
            "Where the JSON files go: index.json and products/. Give it a folder of its own.")
        package var folder: String
        @Key(
            "layout", .choice, redoes: .documents,
            "\"products\": a file for each product. \"sharded\": the same, in folders named after the first "
                + "digits of the SHA-256 of the product's id, for very many products. \"single\": all.json "
                + "with all products, for generators that read one data file.")
        package var layout = Layout.products
        @Key(
            "shard_digits", .integer(1...4), redoes: .documents,
            "For \"sharded\": how many hexadecimal digits the names of the folders have; 2 make 256 folders.")
        package var shardDigits = 2
        @Key(
            "format", .choice, redoes: .documents,
            "\"pretty\": with white space, for people to read. \"compact\": without.")
        package var format = Format.pretty
        /// What is put before a photo's path to make its address; nil for no addresses.
        @Key(
            "image_base_url", .baseURL, redoes: .documents,
            "What the addresses of photos begin with, such as \"https://cdn.example.com/photos/\". If it is "
                + "set, each photo also has its imageURL. A slash is added if this ends in a letter or a "
                + "digit.")
        package var imageBaseURL: String? = nil
        @Key(
            "fields", .choices(), redoes: .documents,
            "What else the files say about photos. \"images\": all photos of each recommended product. "
                + "\"digests\": each photo's SHA-256, for cache-busting.")
        package var fields: Set<Field> = []
        @Key(
            "attributes", .pathOrNone,
            "A CSV file with a column \"product\" and others, such as title, url and price, which become "
                + "attributes of each product in the files. A running agent notices when it changes.")
        package var attributes: String? = nil
        @Key(
            "attributes_timeout_seconds", .integer(1...60),
            "How long it may take to look at that table, or to read all of it, before a running agent "
                + "reports that its disk does not answer.")
        package var attributesTimeoutSeconds = 5
        @Key(
            "attributes_max_bytes", .integer(1...1 << 34),
            "A larger table is not read; a running agent goes on with what it knows and says so.")
        package var attributesMaxBytes = 256 << 20
        @Key(
            "component", .boolean, redoes: .documents,
            "Whether to write similar-products.js beside the files: the element <similar-products> for web "
                + "pages.")
        package var hasComponent = false

        package init() {}
    }

    /// What is run when files have changed.
    package struct Publish: TOMLSection {
        @Key(
            "hook", .command,
            "A program and its arguments, run when files have changed: [\"/usr/local/bin/rebuild-site\"]. It "
                + "gets the changed products on standard input, one JSON object per line, and is run again "
                + "until it succeeds. Under systemd, imgrec-agent-published.path is the better way: a hook "
                + "may do only what the service may.")
        package var hook: [String] = []
        @Key(
            "settle_ms", .milliseconds(0...3_600_000),
            "How long the files must stay unchanged before the hook is run, in milliseconds.")
        package var settle: Duration = .milliseconds(2000)
        @Key(
            "settle_limit_ms", .milliseconds(0...86_400_000),
            "The hook is run at most this long after the first change, in milliseconds.")
        package var settleLimit: Duration = .milliseconds(60_000)
        @Key(
            "timeout_seconds", .seconds(1...86_400),
            "A hook that takes longer is stopped, with everything that it has started, and counts as failed.")
        package var timeout: Duration = .seconds(600)
        @Key(
            "retry_seconds", .seconds(1...86_400),
            "How long to wait after a failure before the hook is run again. Each further failure doubles the "
                + "wait.")
        package var retry: Duration = .seconds(10)
        @Key("retry_limit_seconds", .seconds(1...86_400), "The longest such wait.")
        package var retryLimit: Duration = .seconds(600)

        package init() {}
    }

    /// The page with which a person looks at the recommendations.
    package struct Gallery: TOMLSection {
        @Key(
            "near_duplicate_score", .number(-1...1),
            "The review page shows two products as near-duplicates if their cosine similarity is at least "
                + "this.")
        package var nearDuplicateScore = 0.95

        package init() {}
    }

    /// The lists.
    package struct Recommendations: TOMLSection {
        @Key(
            "count", .integer(1...1000), redoes: .documents,
            "How many similar products each product's file names.")
        package var count = 5
        @Key(
            "min_score", .number(-1...1), redoes: .documents,
            "Products that are less similar than this (cosine similarity) are not named, however few remain.")
        package var minScore = -1.0

        package init() {}
    }
}

extension ValueForm where Value == String? {
    fileprivate static var baseURL: Self {
        ValueForm(
            .string,
            read: { value, _ throws(ValueObjection) in
                let text = try value.text
                guard let last = text.last else { return nil }
                return last.isLetter || last.isNumber ? text + "/" : text
            }, write: { .string($0 ?? "") })
    }
}

extension ValueForm where Value == [String] {
    /// A program and its arguments; none at all for no command.
    fileprivate static var command: Self {
        texts.checked(
            expected: "a program's absolute path and its arguments, such as [\"/usr/local/bin/rebuild-site\"]"
        ) { command throws(ValueObjection) in
            if let program = command.first, !program.hasPrefix("/") {
                throw ValueObjection("\"\(program)\" is no absolute path")
            }
            return command
        }
    }
}
