import StrictTOML

// Paths as settings: absolute, whatever stands in the file.

/// A relative path starts from the file's folder.
private func resolved(_ path: String, in file: String) -> String {
    absolutePath(path, relativeTo: absolutePath(absolutePath(file) + "/.."))
}

extension ValueForm where Value == String {
    static var path: Self {
        ValueForm(
            .string, read: { value, file throws(ValueObjection) in resolved(try value.text, in: file) },
            write: TOMLValue.string)
    }
}

extension ValueForm where Value == String? {
    /// Nil is written as an empty text.
    static var pathOrNone: Self {
        ValueForm(
            .string,
            read: { value, file throws(ValueObjection) in
                let text = try value.text
                return text.isEmpty ? nil : resolved(text, in: file)
            }, write: { .string($0 ?? "") })
    }
}

/// Where compiled networks are kept.
package enum CachePlace: Hashable, Sendable {
    /// With the state.
    case usual
    case nowhere
    case folder(String)
}

extension ValueForm where Value == CachePlace {
    static var cachePlace: Self {
        ValueForm(
            .string,
            read: { value, file throws(ValueObjection) in
                switch try value.text {
                case "": .usual
                case "none": .nowhere
                case let text: .folder(resolved(text, in: file))
                }
            },
            write: { place in
                switch place {
                case .usual: .string("")
                case .nowhere: .string("none")
                case .folder(let path): .string(path)
                }
            })
    }
}
