import StrictTOML

/// One setting: its key, its default and what it does, as the commented file says it.
struct SettingsKey {
    let toml: TOMLKey
    /// As it stands in TOML.
    let defaultLiteral: String
    let explanation: String

    init(
        _ table: String, _ name: String, _ kind: TOMLKey.Kind, default literal: String, _ explanation: String
    ) {
        toml = TOMLKey(table, name, kind)
        defaultLiteral = literal
        self.explanation = explanation
    }

    /// A setting without a default; the literal is an example.
    init(required table: String, _ name: String, _ kind: TOMLKey.Kind, example: String, _ explanation: String)
    {
        toml = TOMLKey(table, name, kind, isRequired: true)
        defaultLiteral = example
        self.explanation = explanation
    }

    /// The default of a text, without its quotes.
    var defaultText: String { String(defaultLiteral.dropFirst().dropLast()) }
    var defaultInteger: Int { Int(defaultLiteral.filter { $0 != "_" }) ?? 0 }
}

extension SettingsKey {
    static let imagesFolder = SettingsKey(
        required: "images", "folder", .string, example: "\"/srv/shop/photos\"",
        "The folder with the product photos, including all folders below it. It is only read.")
    static let imageExtensions = SettingsKey(
        "images", "extensions", .strings,
        default: "[\(defaultExtensions.map { "\"\($0)\"" }.joined(separator: ", "))]",
        "Files with these extensions, in upper or lower case, are photos; others are skipped, as are "
            + "names that begin with a dot. The format of a photo is detected from its content.")
    static let imageExcludes = SettingsKey(
        "images", "exclude", .strings,
        default: "[\(defaultExcludes.map { "\"\($0)\"" }.joined(separator: ", "))]",
        "Globs of files and folders to skip. A glob with a slash is matched against the path below "
            + "images.folder, one without against the name: \"drafts\", \"*-thumb.*\", \"archive/20*\".")
    static let maxFileBytes = SettingsKey(
        "images", "max_file_bytes", .integer(1...1 << 40), default: "67_108_864",
        "A larger file is not read but recorded as failed.")
    static let maxPixels = SettingsKey(
        "images", "max_pixels", .integer(1...1 << 40), default: "100_000_000",
        "A photo with more pixels (width x height) is not decoded but recorded as failed.")
    static let maxFrames = SettingsKey(
        "images", "max_frames", .integer(1...1 << 30), default: "1_000",
        "The first frame of an animation counts. An animation with more frames than this is recorded as "
            + "failed.")
    static let maxProfileBytes = SettingsKey(
        "images", "max_profile_bytes", .integer(0...1 << 30), default: "8_388_608",
        "A photo with a larger colour profile is recorded as failed.")
    static let maxMetadataBytes = SettingsKey(
        "images", "max_metadata_bytes", .integer(0...1 << 30), default: "8_388_608",
        "A photo with a single larger piece of other metadata (EXIF, XMP, comments) is recorded as "
            + "failed.")
    static let followLinks = SettingsKey(
        "images", "follow_links", .boolean, default: "false",
        "Whether symbolic links to photos inside the folder count as photos. Links to folders, and links "
            + "out of the folder, never do. If true, the whole folder is compared after every change.")
    static let productPattern = SettingsKey(
        "images", "product_pattern", .string, default: "\"\"",
        "Which photos belong to one product. Empty: those whose paths differ only in the extension. "
            + "Otherwise a regular expression; the product is what its first group captures of the path. "
            + "For example, '^(.*?)(-[0-9]+)?[.][a-z]+$' makes sku-1.jpg and sku-2.jpg photos of "
            + "\"sku\".")
    static let massRemovalLimit = SettingsKey(
        "images", "mass_removal_limit", .number(0...1), default: "\(defaultMassRemovalLimit)",
        "If more than this share of the products would vanish at once, as when a disk is not mounted, "
            + "nothing is removed until you run 'imgrec-agent reconcile --allow-mass-removal'. 1 "
            + "switches this off.")
    static let settle = SettingsKey(
        "watch", "settle_ms", .integer(1...60_000), default: "50",
        "How long the photos of a changed product must be left alone before the agent looks at them, in "
            + "milliseconds.")
    static let settleLimit = SettingsKey(
        "watch", "settle_limit_ms", .integer(1...600_000), default: "2_000",
        "The agent looks at them at most this long after the first change, in milliseconds.")
    static let reconcileInterval = SettingsKey(
        "watch", "reconcile_minutes", .integer(1...10_080), default: "60",
        "How often the whole folder is compared, in case a change was not reported. Unchanged photos are "
            + "not read.")
    static let pollInterval = SettingsKey(
        "watch", "poll_seconds", .integer(1...86_400), default: "30",
        "How often folders that cannot be watched are compared: those on network file systems, and those "
            + "for which the kernel allows no more watches.")
    static let outputFolder = SettingsKey(
        required: "output", "folder", .string, example: "\"/srv/shop/site/static/recommendations\"",
        "Where the JSON files go: index.json and products/. Give it a folder of its own.")
    static let outputLayout = SettingsKey(
        "output", "layout", .choice(["products", "sharded", "single"]), default: "\"products\"",
        "\"products\": a file for each product. \"sharded\": the same, in folders named after the first "
            + "digits of the SHA-256 of the product's id, for very many products. \"single\": all.json "
            + "with all products, for generators that read one data file.")
    static let shardDigits = SettingsKey(
        "output", "shard_digits", .integer(1...4), default: "2",
        "How many hexadecimal digits the names of these folders have: 2 make 256 folders.")
    static let outputFormat = SettingsKey(
        "output", "format", .choice(["pretty", "compact"]), default: "\"pretty\"",
        "\"pretty\": with white space, for people to read. \"compact\": without.")
    static let imageBaseURL = SettingsKey(
        "output", "image_base_url", .string, default: "\"\"",
        "What the addresses of photos begin with, such as \"https://cdn.example.com/photos/\". If it is "
            + "set, each photo also has its imageURL. A slash is added if this ends in a letter or a "
            + "digit.")
    static let outputFields = SettingsKey(
        "output", "fields", .strings, default: "[]",
        "What else the files say about photos. \"images\": all photos of each recommended product. "
            + "\"digests\": each photo's SHA-256, for cache-busting.")
    static let attributesFile = SettingsKey(
        "output", "attributes", .string, default: "\"\"",
        "A CSV file with a column \"product\" and others, such as title, url and price, which become "
            + "attributes of each product in the files. A running agent notices when it changes.")
    static let attributesTimeout = SettingsKey(
        "output", "attributes_timeout_seconds", .integer(1...60), default: "5",
        "How long it may take to look at that table, or to read all of it, before a running agent "
            + "reports that its disk does not answer.")
    static let component = SettingsKey(
        "output", "component", .boolean, default: "false",
        "Whether to write similar-products.js beside the files: the element <similar-products> for web "
            + "pages.")
    static let hook = SettingsKey(
        "publish", "hook", .strings, default: "[]",
        "A program and its arguments, run when files have changed: [\"/usr/local/bin/rebuild-site\"]. It "
            + "gets the changed products on standard input, one JSON object per line, and is run again "
            + "until it succeeds. Under systemd, imgrec-agent-published.path is the better way: a hook "
            + "may do only what the service may.")
    static let hookSettle = SettingsKey(
        "publish", "settle_ms", .integer(0...3_600_000), default: "2_000",
        "How long the files must stay unchanged before the hook is run, in milliseconds.")
    static let hookSettleLimit = SettingsKey(
        "publish", "settle_limit_ms", .integer(0...86_400_000), default: "60_000",
        "The hook is run at most this long after the first change, in milliseconds.")
    static let hookTimeout = SettingsKey(
        "publish", "timeout_seconds", .integer(1...86_400), default: "600",
        "A hook that takes longer is stopped, with everything that it has started, and counts as failed.")
    static let hookRetry = SettingsKey(
        "publish", "retry_seconds", .integer(1...86_400), default: "10",
        "How long to wait after a failure before the hook is run again. Each further failure doubles the "
            + "wait.")
    static let hookRetryLimit = SettingsKey(
        "publish", "retry_limit_seconds", .integer(1...86_400), default: "600",
        "The longest such wait.")
    static let stateFolder = SettingsKey(
        "state", "folder", .string, default: "\"/var/lib/imgrec-agent\"",
        "Where the catalogue (SQLite) is kept. It can be deleted while no agent runs; the next run makes "
            + "it anew.")
    static let runtimeFolder = SettingsKey(
        "runtime", "folder", .string, default: "\"\"",
        "Where a running agent has its control socket. Empty: the state folder, or /run/... if the state "
            + "folder is /var/lib/...")
    static let answerTimeout = SettingsKey(
        "runtime", "timeout_seconds", .integer(1...3600), default: "5",
        "How long 'status', 'wait' and other commands wait for a running agent that gives no sign of life.")
    static let recommendationCount = SettingsKey(
        "recommendations", "count", .integer(1...1000), default: "5",
        "How many similar products each product's file names.")
    static let minimumScore = SettingsKey(
        "recommendations", "min_score", .number(-1...1), default: "\(defaultMinimumScore)",
        "Products that are less similar than this (cosine similarity) are not named, however few remain.")
    static let modelName = SettingsKey(
        "model", "name", .string, default: "\"efficientnet-lite0\"",
        "The neural network that looks at the photos; 'imgrec-agent models' lists those that there are. "
            + "After a change every photo is embedded anew; until that is done, a running agent goes on "
            + "with the network it had.")
    static let modelPrecision = SettingsKey(
        "model", "precision", .choice(["f32", "auto"]), default: "\"f32\"",
        "\"f32\": the same files on every run. \"auto\": whatever is fastest on this CPU.")
    static let modelFolder = SettingsKey(
        "model", "folder", .string, default: "\"\"",
        "Where the models are, each in a folder of its own name. Empty: the folder models in the state "
            + "folder, and the models that came with the program.")
    static let ensembleModels = SettingsKey(
        "embedding", "models", .strings, default: "[]",
        "Several models that are used as one, their vectors one after another. This is slower, and often "
            + "better than any of them alone. Empty: model.name.")
    static let ensembleWeights = SettingsKey(
        "embedding", "weights", .numbers(count: 0...64), default: "[]",
        "How much the vector of each model counts: with [1.0, 0.5] the first counts four times as much "
            + "as the second in a similarity. Empty: all count the same.")
    static let cacheFolder = SettingsKey(
        "cache", "folder", .string, default: "\"\"",
        "Where networks that were compiled for this CPU are kept, so that the next start is faster. "
            + "Empty: the folder cache in the state folder, or /var/cache/... if the state folder is "
            + "/var/lib/...; \"none\": nowhere.")
    static let maxCachedBytes = SettingsKey(
        "cache", "max_network_bytes", .integer(0...1 << 40), default: "134_217_728",
        "A larger network is not kept: reading it takes as long as compiling it again.")
    static let backgroundPercent = SettingsKey(
        "performance", "background_percent", .integer(1...100), default: "50",
        "When model.name is changed, the agent goes on serving with the model it had while it embeds all "
            + "photos with the new one. How much of its time it may spend on that, in percent.")
    static let nearDuplicateScore = SettingsKey(
        "gallery", "near_duplicate_score", .number(-1...1), default: "\(defaultNearDuplicateScore)",
        "The review page shows two products as near-duplicates if their cosine similarity is at least "
            + "this.")
    static let fit = SettingsKey(
        "picture", "fit", .choice(["model", "crop", "pad", "stretch"]), default: "\"model\"",
        "How a photo is fitted to the picture that the network takes. \"crop\": its middle; \"pad\": all "
            + "of it, with the colour of its border beside it; \"stretch\": all of it, out of "
            + "proportion; \"model\": the way the model was made for. After a change of any key in this "
            + "table, every photo is embedded anew.")
    static let shortSide = SettingsKey(
        "picture", "short_side", .integer(0...4096), default: "0",
        "For \"crop\": the length that the short side is scaled to before the middle is cut out, in "
            + "pixels. 0: as the model says.")
    static let filter = SettingsKey(
        "picture", "filter", .choice(["model", "nearest", "bilinear", "bicubic", "lanczos"]),
        default: "\"model\"",
        "How pixels are averaged when a photo is made smaller.")
    static let trim = SettingsKey(
        "picture", "trim", .choice(["model", "on", "off"]), default: "\"model\"",
        "\"on\": a uniform border, as in studio shots, is cut off first, so that products are compared "
            + "and not the white around them.")
    static let trimTolerance = SettingsKey(
        "picture", "trim_tolerance", .integer(0...254), default: "16",
        "How far a pixel may be from the border's colour and still count as border, in levels of 255.")
    static let trimMargin = SettingsKey(
        "picture", "trim_margin", .number(0...1), default: "\(defaultTrimMargin)",
        "How much border is kept on each side, as a share of the longer side of the product.")
    static let background = SettingsKey(
        "picture", "background", .string, default: "\"#ffffff\"",
        "The colour under transparent photos.")
    static let sandbox = SettingsKey(
        "workers", "sandbox", .choice(["on", "off"]), default: "\"on\"",
        "Photos are decoded in processes of their own. \"on\": these can open neither files nor "
            + "connections, and if that cannot be ensured, the agent does not start. \"off\": for "
            + "trusted photos, on a kernel that cannot ensure it.")
    static let workerTimeout = SettingsKey(
        "workers", "timeout_seconds", .integer(1...3600), default: "10",
        "A photo that takes longer to decode is recorded as failed.")
    static let workerMemory = SettingsKey(
        "workers", "memory_bytes", .integer(16 << 20...1 << 40), default: "2_147_483_648",
        "How much memory decoding one photo may take.")
    static let threads = SettingsKey(
        "performance", "threads", .integer(0...1024), default: "0",
        "How many cores to use. 0: all.")
    static let logLevel = SettingsKey(
        "log", "level", .choice(["debug", "info", "notice", "warning", "error"]), default: "\"info\"",
        "The least severe level that a running agent logs. \"info\" has a line for each changed photo.")

    static let all = [
        imagesFolder, imageExtensions, imageExcludes, followLinks, maxFileBytes, maxPixels, maxFrames,
        maxProfileBytes, maxMetadataBytes, productPattern, massRemovalLimit, settle, settleLimit,
        reconcileInterval, pollInterval, outputFolder, outputLayout, shardDigits, outputFormat, imageBaseURL,
        outputFields, attributesFile, attributesTimeout, component, hook, hookSettle, hookSettleLimit,
        hookTimeout, hookRetry,
        hookRetryLimit, nearDuplicateScore, stateFolder,
        runtimeFolder, answerTimeout, recommendationCount, minimumScore, modelName, modelPrecision,
        modelFolder,
        ensembleModels,
        ensembleWeights, fit,
        shortSide, filter, trim, trimTolerance, trimMargin, background, sandbox, workerTimeout, workerMemory,
        threads, backgroundPercent, cacheFolder, maxCachedBytes,
        logLevel,
    ]

    /// Those of the formats that are read; a test of Imaging compares.
    static let defaultExtensions = ["jpg", "jpeg", "png", "webp", "avif", "heic", "heif", "gif"]
    static let defaultExcludes = ["~$*", "@eaDir", "#recycle", "lost+found", "__MACOSX"]
    static let defaultMassRemovalLimit = 0.5
    static let defaultTrimMargin = 0.05
    static let defaultMinimumScore = -1.0
    static let defaultNearDuplicateScore = 0.95
}

/// The commented settings file.
package enum SettingsTemplate {
    /// - Parameters: values for the keys that have no default, and for the state folder; nil writes the example
    ///   or the default.
    package static func text(images: String? = nil, output: String? = nil, state: String? = nil) -> String {
        var text = """
            # Settings of imgrec-agent. Keys that are commented out have the value that is shown.
            # Folders may be relative to this file.

            """
        var table = ""
        for key in SettingsKey.all {
            if key.toml.table != table {
                table = key.toml.table
                text += "\n[\(table)]\n"
            }
            for line in wrapped(key.explanation, width: 98) { text += "# \(line)\n" }
            let given =
                switch key.toml.dotted {
                case "images.folder": images
                case "output.folder": output
                case "state.folder": state
                default: String?.none
                }
            let isWritten = key.toml.isRequired || given != nil
            text +=
                "\(isWritten ? "" : "# ")\(key.toml.name) = \(given.map(TOMLText.quoted) ?? key.defaultLiteral)\n"
        }
        return text
    }

    private static func wrapped(_ text: String, width: Int) -> [String] {
        var lines = [""]
        for word in text.split(separator: " ") {
            if lines[lines.count - 1].isEmpty {
                lines[lines.count - 1] = String(word)
            } else if lines[lines.count - 1].count + 1 + word.count <= width {
                lines[lines.count - 1] += " \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }
}
