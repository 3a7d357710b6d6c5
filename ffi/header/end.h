
#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* KLOSET_SDK_H */
