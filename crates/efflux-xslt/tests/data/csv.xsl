<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text" encoding="UTF-8" media-type="text/csv"/>
<xsl:template match="/">id,sku,qty<xsl:text>&#10;</xsl:text><xsl:apply-templates select="orders/order"/></xsl:template>
<xsl:template match="order"><xsl:value-of select="@id"/>,<xsl:call-template name="quote"><xsl:with-param name="text" select="sku"/></xsl:call-template>,<xsl:value-of select="qty"/><xsl:text>&#10;</xsl:text></xsl:template>
<xsl:template name="quote"><xsl:param name="text"/><xsl:choose>
<xsl:when test="contains($text, ',') or contains($text, '&quot;')">"<xsl:call-template name="double"><xsl:with-param name="text" select="$text"/></xsl:call-template>"</xsl:when>
<xsl:otherwise><xsl:value-of select="$text"/></xsl:otherwise></xsl:choose></xsl:template>
<xsl:template name="double"><xsl:param name="text"/><xsl:choose>
<xsl:when test="contains($text, '&quot;')"><xsl:value-of select="substring-before($text, '&quot;')"/>""<xsl:call-template name="double"><xsl:with-param name="text" select="substring-after($text, '&quot;')"/></xsl:call-template></xsl:when>
<xsl:otherwise><xsl:value-of select="$text"/></xsl:otherwise></xsl:choose></xsl:template>
</xsl:stylesheet>
