
/*
 * As kloset_fail, with a text formatted as by printf, of up to 1023 bytes:
 * `return kloset_failf(call, KLOSET_INVALID, "table %s has %d columns", name, n);`
 *
 * [borrows the arguments until this returns] [thread any]
 */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
static inline kloset_status kloset_failf(kloset_call *call, kloset_status code, const char *format, ...)
{
        char text[1024];
        va_list arguments;
        va_start(arguments, format);
        if (vsnprintf(text, sizeof text, format, arguments) < 0)
                text[0] = '\0';
        va_end(arguments);
        return kloset_fail(call, code, text, KLOSET_NUL);
}
