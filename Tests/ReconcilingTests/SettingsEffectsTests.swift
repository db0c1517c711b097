import Embedder
import Embedding
import Imaging
import PhotoReading
import Products
import Publishing
import StrictTOML
import TestSupport
import Testing

@testable import Reconciling
@testable import Settings

/// Each setting says what a change of it makes the agent do again; here that is held against what depends on the setting.
@Suite("What a change of a setting makes the agent do again")
struct SettingsEffectsTests {
    /// Values other than the default, of settings whose kind does not say what may stand there.
    private static let others: [String: String] = [
        "images.folder": "\"/other\"", "images.extensions": "[\"jpg\"]", "images.exclude": "[]",
        "images.product_pattern": "'^(.*)-'", "output.folder": "\"/others\"",
        "output.image_base_url": "\"https://example.com/\"", "output.attributes": "\"/table.csv\"",
        "publish.hook": "[\"/bin/true\"]", "state.folder": "\"/state\"", "runtime.folder": "\"/runtime\"",
        "model.name": "\"efficientnet-lite1\"", "model.folder": "\"/models\"",
        "embedding.models": "[\"efficientnet-lite1\"]", "embedding.weights": "[2.0]",
        "picture.fit": "\"stretch\"", "picture.background": "\"#000000\"", "cache.folder": "\"none\"",
    ]

    /// What makes settings count that do nothing by themselves.
    private static let bases: [[String: String]] = [
        [:], ["embedding.models": "[\"efficientnet-lite0\"]", "picture.trim": "\"on\""],
        ["output.layout": "\"sharded\""],
    ]

    static let keys = Settings().keys.map(\.dotted)

    private func settings(_ values: [String: String]) throws -> Settings {
        let all = values.merging(["images.folder": "\"/photos\"", "output.folder": "\"/out\""]) { own, _ in
            own
        }
        return try Settings(all.map { "\($0) = \($1)" }.joined(separator: "\n"), file: "/shop.toml")
    }

    private func otherValue(_ key: any TOMLKeyValue) throws -> String {
        if let other = Self.others[key.dotted] { return other }
        let standard = try #require(key.definition.standard)
        switch (key.definition.kind, standard) {
        case (.integer(let range), .integer(let value)):
            return "\(value < range.upperBound ? value + 1 : value - 1)"
        case (.number(let range), _): return "\((range.lowerBound + range.upperBound) / 2 + 0.01)"
        case (.boolean, .boolean(let value)): return "\(!value)"
        case (.choice(let words), .string(let word)): return "\"\(try #require(words.first { $0 != word }))\""
        case (.choices(let words), _): return "[\"\(words[0])\"]"
        default: throw NoOtherValue(key: key.dotted)
        }
    }

    private struct NoOtherValue: Error { let key: String }

    @Test("is what depends on it, no more and no less", arguments: keys)
    func effects(name: String) throws {
        let key = try #require(Settings().keys.first { $0.dotted == name })
        let other = try otherValue(key)
        var effects: KeyEffects = []
        for base in Self.bases {
            // Weights go with models.
            guard name != "embedding.weights" || base["embedding.models"] != nil else { continue }
            let before = try settings(base)
            let after = try settings(base.merging([name: other]) { $1 })
            if reader(before) != reader(after) || before.workers != after.workers {
                effects.insert(.failures)
            }
            if try recipe(before) != recipe(after) { effects.insert(.embeddings) }
            if before.images.productPattern != after.images.productPattern { effects.insert(.grouping) }
            if OutputForm(before) != OutputForm(after) || before.recommendations != after.recommendations {
                effects.insert(.documents)
            }
        }
        let (usual, changed) = (
            try settings(Self.bases[1]), try settings(Self.bases[1].merging([name: other]) { $1 })
        )
        // The runtime folder goes with the state folder, and says so itself.
        if name != "state.folder", changed.needsRestart(since: usual) { effects.insert(.restart) }
        #expect(effects == key.definition.effects)

        // What is kept from run to run counts no longer, or still.
        let (before, after) = (
            try settings(Self.bases[1]), try settings(Self.bases[1].merging([name: other]) { $1 })
        )
        let model = ContentDigest(of: [1])
        #expect((before.readingRules(model) != after.readingRules(model)) == effects.contains(.failures))
        #expect((DocumentForm(before).digest != DocumentForm(after).digest) == effects.contains(.documents))
    }

    @Test("a folder that is written out and was meant before is no change")
    func effective() throws {
        let usual = try settings([:])
        let written = try settings(["runtime.folder": "\"\(usual.runtimeFolder)\""])
        #expect(written != usual && !written.needsRestart(since: usual))
        let moved = try settings(["runtime.folder": "\"/elsewhere\""])
        #expect(moved.needsRestart(since: usual) && usual.needsRestart(since: moved))
    }

    private func reader(_ settings: Settings) -> PhotoReader {
        let shape = PictureShape(width: 224, height: 224, fit: .stretch, filter: .bicubic)
        return PhotoReader(settings: settings, shapes: [shape])
    }

    private func recipe(_ settings: Settings) throws -> ModelSource.Recipe {
        let library = ModelLibrary(configured: Repository.models, own: "/none", executable: "/none")
        return try ModelSource.Recipe(settings.models, settings: settings, library: library)
    }
}
