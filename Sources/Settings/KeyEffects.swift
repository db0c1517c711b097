import Foundation
import Products
import StrictTOML

// What a change of a setting makes the agent do again. Each setting says it itself, and what is kept from run to run is
// compared with a digest of those settings.

extension KeyEffects {
    /// Photos that failed are tried again.
    package static let failures = KeyEffects(rawValue: 1)
    /// Every photo is embedded again.
    package static let embeddings = KeyEffects(rawValue: 2)
    /// Every file is made again, and replaced where it differs.
    package static let documents = KeyEffects(rawValue: 4)
    /// A running agent has to be started again.
    package static let restart = KeyEffects(rawValue: 8)
    /// Photos are put together to products anew.
    package static let grouping = KeyEffects(rawValue: 16)

    /// What takes long, or has to be done by hand.
    static let costly: KeyEffects = [.embeddings, .restart]
    static let all: KeyEffects = [.failures, .embeddings, .grouping, .documents, .restart]

    /// Empty where nothing is done again.
    fileprivate var sentences: [String] {
        let all: [(KeyEffects, String)] = [
            (.failures, "After a change, photos that failed are tried again."),
            (.embeddings, "After a change, every photo is embedded again."),
            (.grouping, "After a change, photos are assigned to products again; none is read again."),
            (.documents, "After a change, every file is made again, and replaced where it differs."),
            (.restart, "A running agent has to be restarted after a change."),
        ]
        return all.filter { contains($0.0) }.map(\.1)
    }
}

extension KeyDefinition {
    /// What it does, and which of these effects a change of it has.
    func explanation(with shown: KeyEffects) -> String {
        ([explanation] + effects.intersection(shown).sentences).joined(separator: " ")
    }
}

extension Settings {
    /// The settings with one of these effects: `runtime.folder and log.level`.
    package static func names(of effects: KeyEffects) -> String {
        Settings().keys.filter { !$0.definition.effects.isDisjoint(with: effects) }.map(\.dotted)
            .formatted(.list(type: .and).locale(Locale(identifier: "en")))
    }

    /// Whether an agent that runs with other settings has to be restarted.
    package func needsRestart(since other: Settings) -> Bool {
        withRuntimeFolder.digest(of: .restart) != other.withRuntimeFolder.digest(of: .restart)
    }

    /// The same, with the runtime folder that they mean where they name none.
    private var withRuntimeFolder: Settings {
        var settings = self
        settings.runtime.folder = runtimeFolder
        return settings
    }

    /// Of the settings with one of these effects and their values.
    package func digest(of effects: KeyEffects) -> ContentDigest {
        let lines = keys.filter { !$0.definition.effects.isDisjoint(with: effects) }.map {
            "\($0.dotted) = \($0.value?.literal ?? "")"
        }
        return ContentDigest(of: lines.joined(separator: "\n").utf8)
    }
}
