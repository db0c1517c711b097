import Settings
import Watching

// What the settings say of the image folder.

extension PhotoFilter {
    package init(settings: Settings) {
        self.init(
            extensions: settings.images.extensions, excludes: settings.images.excludes,
            followsLinks: settings.images.followsLinks)
    }
}
