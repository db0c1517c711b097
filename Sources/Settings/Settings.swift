// Settings: a TOML file in, validated and typed settings out. Every key, its default and its explanation
// stand once, in SettingsKeys.swift; the commented file that `imgrec-agent init` writes is made from them.

import Foundation
import Products
import StrictTOML

/// What the settings change of how a model sees photos.
package struct PictureSettings: Hashable, Sendable {
    let fit: String
    let shortSide: Int
    let filter: String
    let trim: String
    let trimTolerance: Int
    let trimMargin: Double
    let background: PictureShape.Colour

    /// A model's shape with what is set put in its place.
    package func applied(to model: PictureShape) -> PictureShape {
        var shape = model
        let largest = max(model.width, model.height)
        // As large as the network's input, where the model itself does not crop.
        var modelShortSide = largest
        if case .crop(let side) = model.fit { modelShortSide = side }
        switch fit {
        case "crop": shape.fit = .crop(shortSide: max(largest, shortSide > 0 ? shortSide : modelShortSide))
        case "pad": shape.fit = .pad
        case "stretch": shape.fit = .stretch
        default:
            if case .crop = model.fit, shortSide > 0 { shape.fit = .crop(shortSide: max(largest, shortSide)) }
        }
        shape.filter = PictureShape.Filter(rawValue: filter) ?? model.filter
        switch trim {
        case "on": shape.trim = PictureShape.Trim(tolerance: trimTolerance, margin: trimMargin)
        case "off": shape.trim = nil
        default: break
        }
        shape.background = background
        return shape
    }
}

/// A model that is used, and how much its vectors count beside those of the others.
package struct ModelChoice: Hashable, Sendable {
    package let name: String
    package let weight: Double

    /// What a weight may be.
    package static let weights = 0.001...1000.0

    package init(name: String, weight: Double) {
        (self.name, self.weight) = (name, weight)
    }
}

/// All that a user can set. Folders are absolute paths.
package struct Settings: Hashable, Sendable {
    package var imagesFolder: String
    package var imageExtensions: [String]
    package var imageExcludes: [String]
    package var maxFileBytes: Int
    package var maxPixels: Int
    package var maxFrames: Int
    package var maxProfileBytes: Int
    package var maxMetadataBytes: Int
    package var followsLinks: Bool
    package var productPattern: String
    package var massRemovalLimit: Double
    package var settle: Duration
    package var settleLimit: Duration
    package var reconcileInterval: Duration
    package var pollInterval: Duration
    package var outputFolder: String
    /// `products`, `sharded` or `single`.
    package var outputLayout: String
    package var shardDigits: Int
    package var isOutputCompact: Bool
    /// What is put before a photo's path to make its address; nil for no addresses.
    package var imageBaseURL: String?
    /// Of `outputFieldNames`.
    package var outputFields: Set<String>
    /// A table with attributes of products; nil for none.
    package var attributesFile: String?
    /// How long a running agent waits for the disk that it is on.
    package var attributesTimeoutSeconds: Int
    package var hasComponent: Bool
    /// A program's absolute path and its arguments; empty for none.
    package var hook: [String]
    package var hookSettle: Duration
    package var hookSettleLimit: Duration
    package var hookTimeout: Duration
    package var hookRetry: Duration
    package var hookRetryLimit: Duration
    /// Cosine similarity.
    package var nearDuplicateScore: Double
    package var stateFolder: String
    package var runtimeFolder: String
    /// How long a command waits for a running agent that gives no sign of life.
    package var answerTimeout: Duration
    package var recommendationCount: Int
    /// Cosine similarity.
    package var minimumScore: Double
    /// One, or several whose vectors are one.
    package var models: [ModelChoice]
    package var modelPrecision: String
    package var modelFolder: String?
    package var picture: PictureSettings
    /// Whether the processes that decode photos give up what they do not need.
    package var isSandboxed: Bool
    package var workerTimeoutSeconds: Int
    package var workerMemoryBytes: Int
    package var threads: Int
    /// How much of the time may go into another model's vectors while the agent serves those of one.
    package var backgroundPercent: Int
    /// Where what is compiled is kept; nil for nowhere.
    package var cacheFolder: String?
    package var maxCachedBytes: Int
    package var logLevel: String

    package static let outputFieldNames = ["images", "digests"]

    /// Where settings are looked for unless a command names another file.
    package static let defaultFile = "/etc/imgrec-agent/imgrec-agent.toml"

    /// Reads and checks a settings file. Relative folders are relative to the file.
    package init(file: String) throws(SettingsError) {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw FileManager.default.fileExists(atPath: file) ? .unreadable(file: file) : .noFile(file: file)
        }
        guard let text = String(validating: data, as: UTF8.self) else { throw .unreadable(file: file) }
        try self.init(text, file: file)
    }

    /// - Parameter file: the name for errors; its folder is where relative folders start.
    ///
    /// Longer than 60 lines: a key after another, and then what they have to be beside each other.
    package init(_ text: String, file: String) throws(SettingsError) {
        let document: TOMLDocument
        do throws(TOMLError) {
            document = try TOMLDocument(text, file: file, schema: SettingsKey.all.map(\.toml))
        } catch {
            throw .toml(error)
        }
        let base = absolutePath(absolutePath(file) + "/..")
        func folder(_ key: SettingsKey) -> String {
            let path = document.string(key.toml.table, key.toml.name) ?? key.defaultText
            return absolutePath(path, relativeTo: base)
        }
        func string(_ key: SettingsKey) -> String {
            document.string(key.toml.table, key.toml.name) ?? key.defaultText
        }
        func integer(_ key: SettingsKey) -> Int {
            document.integer(key.toml.table, key.toml.name) ?? key.defaultInteger
        }

        imagesFolder = folder(.imagesFolder)
        imageExtensions =
            (document.strings("images", "extensions") ?? SettingsKey.defaultExtensions).map {
                $0.lowercased()
            }
        imageExcludes = document.strings("images", "exclude") ?? SettingsKey.defaultExcludes
        maxFileBytes = integer(.maxFileBytes)
        maxPixels = integer(.maxPixels)
        maxFrames = integer(.maxFrames)
        maxProfileBytes = integer(.maxProfileBytes)
        maxMetadataBytes = integer(.maxMetadataBytes)
        followsLinks = document.boolean("images", "follow_links") ?? false
        productPattern = string(.productPattern)
        massRemovalLimit =
            document.number("images", "mass_removal_limit") ?? SettingsKey.defaultMassRemovalLimit
        settle = .milliseconds(integer(.settle))
        settleLimit = .milliseconds(integer(.settleLimit))
        reconcileInterval = .seconds(60 * integer(.reconcileInterval))
        pollInterval = .seconds(integer(.pollInterval))
        outputFolder = folder(.outputFolder)
        outputLayout = string(.outputLayout)
        shardDigits = integer(.shardDigits)
        isOutputCompact = string(.outputFormat) == "compact"
        imageBaseURL = Self.baseURL(string(.imageBaseURL))
        outputFields = Set(document.strings("output", "fields") ?? [])
        attributesFile = string(.attributesFile).isEmpty ? nil : folder(.attributesFile)
        attributesTimeoutSeconds = integer(.attributesTimeout)
        hasComponent = document.boolean("output", "component") ?? false
        hook = document.strings("publish", "hook") ?? []
        hookSettle = .milliseconds(integer(.hookSettle))
        hookSettleLimit = .milliseconds(integer(.hookSettleLimit))
        hookTimeout = .seconds(integer(.hookTimeout))
        hookRetry = .seconds(integer(.hookRetry))
        hookRetryLimit = .seconds(integer(.hookRetryLimit))
        nearDuplicateScore =
            document.number("gallery", "near_duplicate_score") ?? SettingsKey.defaultNearDuplicateScore
        let state = folder(.stateFolder)
        stateFolder = state
        runtimeFolder =
            string(.runtimeFolder).isEmpty
            ? Self.defaultRuntimeFolder(stateFolder: state) : folder(.runtimeFolder)
        answerTimeout = .seconds(integer(.answerTimeout))
        recommendationCount = integer(.recommendationCount)
        minimumScore = document.number("recommendations", "min_score") ?? SettingsKey.defaultMinimumScore
        let names = document.strings("embedding", "models") ?? []
        let weights = document.numbers("embedding", "weights") ?? []
        guard weights.isEmpty || weights.count == names.count,
            weights.allSatisfy(ModelChoice.weights.contains)
        else {
            throw .badWeights(file: file, models: names.count)
        }
        models =
            names.isEmpty
            ? [ModelChoice(name: string(.modelName), weight: 1)]
            : names.enumerated().map {
                ModelChoice(name: $1, weight: weights.isEmpty ? 1 : weights[$0])
            }
        modelPrecision = string(.modelPrecision)
        modelFolder = string(.modelFolder).isEmpty ? nil : folder(.modelFolder)
        guard let background = PictureShape.Colour(string(.background)) else {
            throw .badColour(file: file, text: string(.background))
        }
        picture = PictureSettings(
            fit: string(.fit), shortSide: integer(.shortSide), filter: string(.filter), trim: string(.trim),
            trimTolerance: integer(.trimTolerance),
            trimMargin: document.number("picture", "trim_margin") ?? SettingsKey.defaultTrimMargin,
            background: background)
        isSandboxed = string(.sandbox) == "on"
        workerTimeoutSeconds = integer(.workerTimeout)
        workerMemoryBytes = integer(.workerMemory)
        threads = integer(.threads)
        backgroundPercent = integer(.backgroundPercent)
        cacheFolder =
            switch string(.cacheFolder) {
            case "": Self.defaultCacheFolder(stateFolder: state)
            case "none": nil
            default: folder(.cacheFolder)
            }
        maxCachedBytes = integer(.maxCachedBytes)
        logLevel = string(.logLevel)
        try check(file: file)
    }

    /// How many cores to use: the setting, or all there are.
    package var effectiveThreads: Int {
        threads > 0 ? threads : ProcessInfo.processInfo.activeProcessorCount
    }

    private static func baseURL(_ text: String) -> String? {
        guard let last = text.last else { return nil }
        return last.isLetter || last.isNumber ? text + "/" : text
    }

    /// As systemd pairs RuntimeDirectory with StateDirectory.
    private static func defaultRuntimeFolder(stateFolder: String) -> String {
        let (states, runtimes) = ("/var/lib/", "/run/")
        return stateFolder.hasPrefix(states)
            ? runtimes + stateFolder.dropFirst(states.count) : stateFolder
    }

    /// As systemd pairs CacheDirectory with StateDirectory.
    private static func defaultCacheFolder(stateFolder: String) -> String {
        let states = "/var/lib/"
        return stateFolder.hasPrefix(states)
            ? "/var/cache/" + stateFolder.dropFirst(states.count) : "\(stateFolder)/cache"
    }

    private func check(file: String) throws(SettingsError) {
        if !productPattern.isEmpty {
            do { _ = try Regex(productPattern) } catch {
                throw .badPattern(file: file, pattern: productPattern, reason: "\(error)")
            }
        }
        // A group is an opening bracket that no backslash precedes and that is not `(?` but for `(?<name>`.
        guard productPattern.isEmpty || productPattern.contains(/(?:^|[^\\])\((?!\?(?!<[^=!]))/) else {
            throw .badPattern(
                file: file, pattern: productPattern, reason: "it has no group to capture the product")
        }
        for ending in imageExtensions where ending.isEmpty || ending.contains(".") || ending.contains("/") {
            throw .badExtension(file: file, ending: ending)
        }
        if let program = hook.first, !program.hasPrefix("/") { throw .badHook(file: file, program: program) }
        for field in outputFields.sorted() where !Self.outputFieldNames.contains(field) {
            throw .badOutputField(file: file, name: field)
        }
        for name in models.map(\.name) where name.isEmpty || name.contains("/") || name.hasPrefix(".") {
            throw .badModelName(file: file, name: name)
        }
        var folders = [
            ("images.folder", imagesFolder), ("output.folder", outputFolder), ("state.folder", stateFolder),
        ]
        if runtimeFolder != stateFolder { folders.append(("runtime.folder", runtimeFolder)) }
        if let cacheFolder, !cacheFolder.hasPrefix(stateFolder + "/") {
            folders.append(("cache.folder", cacheFolder))
        }
        for (index, first) in folders.enumerated() {
            for second in folders.dropFirst(index + 1) {
                let (a, b) = (realPath(first.1) + "/", realPath(second.1) + "/")
                // The image folder is only read, the output folder is served: nothing else may lie in either.
                guard !a.hasPrefix(b), !b.hasPrefix(a) else {
                    throw .overlappingFolders(file: file, first.0, first.1, second.0, second.1)
                }
            }
        }
    }

    /// A path with the links of its existing part resolved.
    private func realPath(_ path: String) -> String {
        if let resolved = realpath(path, nil) {
            defer { free(resolved) }
            return String(cString: resolved)
        }
        let parent = absolutePath(path + "/..")
        guard parent != path else { return path }
        return absolutePath(realPath(parent) + "/" + (path.split(separator: "/").last ?? ""))
    }
}
