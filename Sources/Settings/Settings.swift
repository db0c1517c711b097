// Settings: a TOML file in, checked and typed settings out. A setting is one property: its name, type, range, default, what a
// change makes the agent do again, and its explanation. The commented file that `imgrec-agent init` writes, what
// `imgrec-agent settings` prints and the page about settings are made from the same properties.

import Files
import Foundation
import Products
import StrictTOML

/// All that a user can set. Folders are absolute paths.
///
/// More than 300 lines: its tables, most of them explanations, are types within it, in files of their own.
package struct Settings: TOMLSection {
    @Table("images") package var images: Images
    @Table("watch") package var watch: Watch
    @Table("output") package var output: Output
    @Table("publish") package var publish: Publish
    @Table("gallery") package var gallery: Gallery
    @Table("state") package var state: State
    @Table("runtime") package var runtime: Runtime
    @Table("recommendations") package var recommendations: Recommendations
    @Table("model") package var model: Model
    @Table("embedding") package var embedding: Embedding
    @Table("picture") package var picture: PictureOverride
    @Table("workers") package var workers: Workers
    @Table("performance") package var performance: Performance
    @Table("cache") package var cache: Cache
    @Table("log") package var log: Log

    /// Where settings are looked for unless a command names another file.
    package static let defaultFile = "/etc/imgrec-agent/imgrec-agent.toml"

    /// How long a settings file may be.
    static let mostBytes = 16 << 20

    /// The defaults, with examples for the folders that have none.
    package init() {}

    /// Reads and checks a settings file. Relative folders are relative to the file.
    ///
    /// - Parameter files: the calls to the file system.
    package init(file: String, files: any FileCalls = SystemFiles()) throws(SettingsError) {
        let (bytes, failure) = files.contents(ofFile: file, limit: Self.mostBytes)
        switch failure {
        case nil: break
        case ENOENT, ENOTDIR: throw .noFile(file: file)
        case .some(let number): throw .unreadable(file: file, errno: number)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .notText(file: file) }
        try self.init(text, file: file)
    }

    /// - Parameter file: the name for errors; its folder is where relative folders start.
    package init(_ text: String, file: String) throws(SettingsError) {
        do throws(TOMLError) { try self.init(toml: text, file: file) } catch { throw .toml(error) }
        try checkModel(file: file)
        try checkWeights(file: file)
        try checkFolders(file: file)
    }

    // MARK: What several settings make together

    /// One model, or several whose vectors are one.
    package var models: [ModelChoice] {
        guard !embedding.models.isEmpty else { return [ModelChoice(name: model.name, weight: 1)] }
        return embedding.models.enumerated().map {
            ModelChoice(name: $1, weight: embedding.weights.isEmpty ? 1 : embedding.weights[$0])
        }
    }

    /// Where a running agent has its control socket: as systemd pairs RuntimeDirectory with StateDirectory.
    package var runtimeFolder: String {
        runtime.folder ?? Self.paired(state.folder, with: "/run/") ?? state.folder
    }

    /// Where what is compiled is kept, as systemd pairs CacheDirectory with StateDirectory; nil for nowhere.
    package var cacheFolder: String? {
        switch cache.folder {
        case .usual: Self.paired(state.folder, with: "/var/cache/") ?? "\(state.folder)/cache"
        case .nowhere: nil
        case .folder(let path): path
        }
    }

    private static func paired(_ stateFolder: String, with folder: String) -> String? {
        let states = "/var/lib/"
        return stateFolder.hasPrefix(states) ? folder + stateFolder.dropFirst(states.count) : nil
    }

    /// How many cores to use: the setting, or all there are.
    package var effectiveThreads: Int {
        performance.threads > 0 ? performance.threads : ProcessInfo.processInfo.activeProcessorCount
    }

    // MARK: Checks of several settings

    /// A name that other models stand in for is nobody's concern.
    private func checkModel(file: String) throws(SettingsError) {
        guard embedding.models.isEmpty, !Model.isName(model.name) else { return }
        throw .toml(
            .wrongValue(
                file: file, line: model.$name.place?.line, key: model.$name.dotted,
                expected: Model.expectedName, found: "the text \"\(model.name)\""))
    }

    private func checkWeights(file: String) throws(SettingsError) {
        let (models, weights) = (embedding.models, embedding.weights)
        guard weights.isEmpty || weights.count == models.count,
            weights.allSatisfy(ModelChoice.weights.contains)
        else {
            throw .badWeights(file: file, line: embedding.$weights.place?.line, models: models.count)
        }
    }

    /// The image folder is only read, the output folder is served: nothing else may lie in either.
    private func checkFolders(file: String) throws(SettingsError) {
        var folders: [SettingsError.Folder] = [
            .init(images.$folder, images.folder), .init(output.$folder, output.folder),
            .init(state.$folder, state.folder),
        ]
        if runtimeFolder != state.folder { folders.append(.init(runtime.$folder, runtimeFolder)) }
        if let cacheFolder, !Self.isPath(cacheFolder, atOrBelow: state.folder) || cacheFolder == state.folder
        {
            folders.append(.init(cache.$folder, cacheFolder))
        }
        for (index, first) in folders.enumerated() {
            for second in folders.dropFirst(index + 1) {
                let (a, b) = (realPath(first.path), realPath(second.path))
                guard !Self.isPath(a, atOrBelow: b), !Self.isPath(b, atOrBelow: a) else {
                    throw .overlappingFolders(file: file, first, second)
                }
            }
        }
    }

    private static func isPath(_ path: String, atOrBelow folder: String) -> Bool {
        path == folder || path.utf8.starts(with: (folder == "/" ? folder : folder + "/").utf8)
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
