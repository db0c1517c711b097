import Foundation

/// Where model folders are looked for.
package struct ModelLibrary: Sendable {
    /// The folders, the first has precedence.
    package let folders: [String]

    package init(folders: [String]) { self.folders = folders }

    /// - Parameters:
    ///   - configured: the settings' `model.folder`; if present, the only place.
    ///   - own: where a user's own models are otherwise.
    ///   - executable: the running program's path.
    package init(configured: String?, own: String, executable: String) {
        if let configured {
            folders = [configured]
            return
        }
        let program = URL(fileURLWithPath: executable).resolvingSymlinksInPath().deletingLastPathComponent()
        let installed = program.deletingLastPathComponent().appendingPathComponent(
            "share/imgrec-agent/models")
        // A built program lies in .build/<platform>/<configuration> of its tree.
        let built = (0..<3).reduce(program) { url, _ in url.deletingLastPathComponent() }
            .appendingPathComponent(".deps/models")
        folders = [own, installed.path, built.path]
    }

    /// The folder of the model with this name.
    package func folder(of name: String) throws(ModelError) -> String {
        let manager = FileManager.default
        for folder in folders where manager.fileExists(atPath: "\(folder)/\(name)/\(ModelManifest.fileName)")
        {
            return "\(folder)/\(name)"
        }
        throw .notFound(name: name, folders: folders, known: names)
    }

    /// The names of all models, in their order.
    package var names: [String] {
        let manager = FileManager.default
        let names = folders.flatMap { folder in
            ((try? manager.contentsOfDirectory(atPath: folder)) ?? []).filter {
                // What begins with a dot is in the making, or was.
                !$0.hasPrefix(".") && manager.fileExists(atPath: "\(folder)/\($0)/\(ModelManifest.fileName)")
            }
        }
        return Set(names).sorted()
    }

    /// Where a user's own models go.
    package var own: String { folders[0] }
}
