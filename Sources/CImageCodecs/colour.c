// Colours to sRGB, by Little CMS.

#include <lcms2.h>

#include "codec.h"

// A profile of three primaries and one curve; NULL where the numbers make none.
static cmsHPROFILE simple_profile(const double xy[8], cmsToneCurve *curve) {
    if (!curve) return NULL;
    cmsCIExyY white = {xy[0], xy[1], 1};
    cmsCIExyYTRIPLE primaries = {{xy[2], xy[3], 1}, {xy[4], xy[5], 1}, {xy[6], xy[7], 1}};
    cmsToneCurve *curves[3] = {curve, curve, curve};
    cmsHPROFILE profile = cmsCreateRGBProfile(&white, &primaries, curves);
    cmsFreeToneCurve(curve);
    return profile;
}

// IEC 61966-2-1.
static cmsToneCurve *srgb_curve(void) {
    const double parameters[5] = {2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045};
    return cmsBuildParametricToneCurve(NULL, 4, parameters);
}

// ITU-T H.273, tables 2 and 3. What is not here is taken for sRGB, whose primaries are those of BT.709.
static cmsHPROFILE profile_of_codes(const imgrec_photo *photo, const char **name) {
    static const double bt709[8] = {0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06};
    static const double bt2020[8] = {0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046};
    static const double p3[8] = {0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060};
    const double *primaries = bt709;
    if (photo->colour_primaries == 9) primaries = bt2020, *name = "BT.2020";
    if (photo->colour_primaries == 12) primaries = p3, *name = "Display P3";
    cmsToneCurve *curve = NULL;
    switch (photo->transfer) {
    case 4:
        curve = cmsBuildGamma(NULL, 2.2);
        break;
    case 5:
        curve = cmsBuildGamma(NULL, 2.8);
        break;
    case 8:
        curve = cmsBuildGamma(NULL, 1);
        break;
    default:
        if (primaries == bt709) return NULL;
        curve = srgb_curve();
    }
    return simple_profile(primaries, curve);
}

static cmsHPROFILE open_profile(const imgrec_photo *photo, const char **name) {
    if (photo->profile) return cmsOpenProfileFromMem(photo->profile, (cmsUInt32Number)photo->profile_bytes);
    if (photo->colour_kind == IMGREC_COLOUR_CODES) return profile_of_codes(photo, name);
    *name = "gAMA and cHRM";
    return simple_profile(photo->chromaticities, photo->gamma > 0 ? cmsBuildGamma(NULL, 1 / photo->gamma) : srgb_curve());
}

// The way that the layout's four bytes are read; 0 where the profile is of other channels.
static cmsUInt32Number pixel_type(imgrec_layout layout, cmsColorSpaceSignature space) {
    switch (layout) {
    case IMGREC_RGBA:
        return space == cmsSigRgbData ? TYPE_RGBA_8 : 0;
    case IMGREC_GREY:
        if (space == cmsSigRgbData) return TYPE_RGBA_8;
        // The first of the three equal levels; alpha is among the bytes that are passed over.
        return space == cmsSigGrayData ? COLORSPACE_SH(PT_GRAY) | EXTRA_SH(3) | CHANNELS_SH(1) | BYTES_SH(1) : 0;
    case IMGREC_INVERTED_CMYK:
        return space == cmsSigCmykData ? TYPE_CMYK_8_REV : 0;
    }
    return 0;
}

// Whether colours from all over the cube stay as they are, within a level.
static int changes_nothing(cmsHTRANSFORM transform) {
    uint8_t before[9 * 9 * 9][4], after[9 * 9 * 9][4];
    int count = 0;
    for (int r = 0; r < 9; r++)
        for (int g = 0; g < 9; g++)
            for (int b = 0; b < 9; b++, count++) {
                const uint8_t colour[4] = {(uint8_t)(r * 255 / 8), (uint8_t)(g * 255 / 8), (uint8_t)(b * 255 / 8), 255};
                memcpy(before[count], colour, 4);
            }
    cmsDoTransform(transform, before, after, (cmsUInt32Number)count);
    for (int i = 0; i < count; i++)
        for (int c = 0; c < 3; c++)
            if (abs(before[i][c] - after[i][c]) > 1) return 0;
    return 1;
}

imgrec_colour_result imgrec_to_srgb(const imgrec_photo *photo, uint8_t *pixels, size_t count, char *name, size_t name_bytes) {
    const char *known = "";
    cmsHPROFILE profile = open_profile(photo, &known);
    snprintf(name, name_bytes, "%s", known);
    if (!profile) return photo->profile || photo->colour_kind == IMGREC_COLOUR_GAMMA ? IMGREC_COLOUR_BROKEN : IMGREC_COLOUR_IS_SRGB;
    if (photo->profile) {
        cmsGetProfileInfoASCII(profile, cmsInfoDescription, "en", "US", name, (cmsUInt32Number)name_bytes);
        name[name_bytes - 1] = 0;
    }
    imgrec_colour_result result = IMGREC_COLOUR_BROKEN;
    cmsUInt32Number type = pixel_type(photo->layout, cmsGetColorSpace(profile));
    cmsHPROFILE srgb = cmsCreate_sRGBProfile();
    cmsHTRANSFORM transform = NULL;
    if (type && srgb) {
        cmsUInt32Number flags = type == TYPE_RGBA_8 ? cmsFLAGS_COPY_ALPHA : 0;
        transform = cmsCreateTransform(profile, type, srgb, TYPE_RGBA_8, INTENT_PERCEPTUAL, flags);
    }
    if (transform) {
        result = IMGREC_COLOUR_CONVERTED;
        if (type == TYPE_RGBA_8 && changes_nothing(transform)) {
            result = IMGREC_COLOUR_IS_SRGB;
        } else {
            // In pieces: a count is of 32 bits.
            for (size_t done = 0; done < count;) {
                size_t piece = count - done < 1 << 20 ? count - done : 1 << 20;
                cmsDoTransform(transform, pixels + done * 4, pixels + done * 4, (cmsUInt32Number)piece);
                done += piece;
            }
        }
        cmsDeleteTransform(transform);
    }
    if (srgb) cmsCloseProfile(srgb);
    cmsCloseProfile(profile);
    return result;
}
